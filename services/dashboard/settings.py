"""The settings of the dashboard of 0.1: those of the gateway by their old names, for one version."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from process.readable_file import ReadableFile
from services.gateway.settings import GatewaySettings

RENAMED = {"progress_token_file": "token_file"}
"""The settings that have another name now, besides their prefix."""


class DashboardSettings(GatewaySettings):
    """Settings with the prefix DASHBOARD_, with which the gateway does what the dashboard did."""

    prefix: ClassVar[str] = "DASHBOARD_"

    progress_token_file: ReadableFile | None = Field(default=None, description="Now GATEWAY_TOKEN_FILE.")
    anonymous_reads: bool | None = True
    read_only: bool = True
    viewers_max: int = Field(default=5_000, ge=1)
    drain_seconds: float = Field(default=5, ge=0, le=3_600)

    @model_validator(mode="after")
    def _take_token(self) -> Self:
        if self.token_file is None:
            self.token_file = self._has_a_token(self.progress_token_file)
        return self

    def new_names(self) -> dict[str, str]:
        """Return each variable that is set, with the variable that replaces it."""
        return {
            self.variable(name): GatewaySettings.variable(RENAMED.get(name, name))
            for name in sorted(self.model_fields_set)
            if name not in RENAMED.values()
        }
