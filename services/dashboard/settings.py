"""The settings of the dashboard, each from the environment variable DASHBOARD_<NAME>."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from process.readable_file import ReadableFile
from services.gateway.web.settings import HttpSettings


class DashboardSettings(HttpSettings):
    """Settings with the prefix DASHBOARD_."""

    model_config = SettingsConfigDict(env_prefix="DASHBOARD_")

    listen: str = Field(
        default="127.0.0.1:8080",
        description="host:port to serve the page on; port 0 picks a free port. Default: this machine only,"
        " since anyone who can reach the page can read every batch.",
    )
    allowed_hosts: str = Field(
        default="",
        description="Names, separated by commas, under which browsers reach the page, without ports; * allows"
        " every name. Other names are refused, since a website could point its own name at this address to"
        " read batches. The host of DASHBOARD_LISTEN, localhost, 127.0.0.1 and ::1 are always allowed."
        " Default: no others.",
    )
    progress_token_file: ReadableFile | None = Field(
        default=None,
        description="A file with the bearer token of a reader. It is read again for each call, so that"
        " replacing it needs no restart. Default: none.",
    )
    viewers_max: int = Field(
        default=5_000,
        ge=1,
        description="Maximum number of viewers of batches at a time; others are asked to try again. Default"
        " 5,000: about 230 MiB, and at least one update per second for each viewer of a busy batch on one"
        " core.",
    )
    watches_max: int = Field(
        default=500,
        ge=1,
        description="Maximum number of batches watched at a time, each by one stream of ProgressService that"
        " all its viewers share. Default 500: a fortieth of the watches that one server allows.",
    )
    drain_seconds: float = Field(
        default=5,
        ge=0,
        le=3_600,
        description="Seconds that responses in progress may take after SIGTERM; pages reconnect by"
        " themselves. Default 5: a response takes less time or never comes.",
    )
