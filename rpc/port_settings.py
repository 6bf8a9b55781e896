"""The settings of every port that serves clients, gRPC or HTTP: its address, its TLS, its metrics."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from process.addresses import split_address
from process.readable_file import ReadableFile
from process.settings import Settings

_TLS = ("tls_certificate_file", "tls_key_file")


class PortSettings(Settings):
    """Settings of a program with such a port, each with the prefix of the program."""

    listen: str
    tls_certificate_file: ReadableFile | None = Field(
        default=None,
        description="PEM file of the certificate, followed by the intermediate certificates; reloaded when it"
        " changes. Default: plaintext, for this machine or behind a proxy or a mesh that encrypts.",
    )
    tls_key_file: ReadableFile | None = Field(
        default=None, description="PEM file of the certificate's key, without a password. Default: none."
    )
    tls_client_ca_file: ReadableFile | None = Field(
        default=None,
        description="PEM file of the authorities that sign client certificates; if it is set, clients must"
        " have a certificate. Default: clients need none.",
    )
    metrics_listen: str = Field(
        default="127.0.0.1:0",
        description="host:port of the metrics (HTTP, Prometheus format). Default: a free port, which the log"
        " shows.",
    )

    @field_validator("metrics_listen")
    @classmethod
    def _check_metrics_listen(cls, value: str) -> str:
        split_address(value)
        return value

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        self.require_all_or_none(_TLS)
        if self.tls_client_ca_file is not None and self.tls_certificate_file is None:
            raise ValueError(
                f"{self.variable('tls_client_ca_file')} needs {self.variable('tls_certificate_file')}"
            )
        return self

    def require_all_or_none(self, names: tuple[str, ...]) -> None:
        """Check fields that have a meaning only together.

        Args:
            names: the fields.

        Raises:
            ValueError: only some of them are set.

        """
        missing = [name for name in names if getattr(self, name) is None]
        if missing and len(missing) < len(names):
            first_set = next(name for name in names if name not in missing)
            raise ValueError(
                f"{self.variable(first_set)} is set, so set {', '.join(map(self.variable, missing))} too"
            )
