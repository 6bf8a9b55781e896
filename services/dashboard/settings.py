"""What can be set, each from the environment variable DASHBOARD_<NAME>."""

import ssl
from typing import Self

from pydantic import Field, FilePath, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PORT_MAX = 65_535


class DashboardSettings(BaseSettings):
    """Settings with the prefix DASHBOARD_."""

    model_config = SettingsConfigDict(env_prefix="DASHBOARD_")

    listen: str = Field(
        default="127.0.0.1:8080",
        description="host:port to serve the page on; port 0 takes a free one. Default: this machine only,"
        " since whoever reaches it reads every batch.",
    )
    progress_target: str = Field(
        default="127.0.0.1:50051",
        min_length=1,
        description="host:port of ProgressService, or any gRPC name: dns:///progress:50051 finds every"
        " replica of a headless Service. Default: where `python -m services.progress` listens.",
    )
    progress_tls: bool = Field(
        default=False,
        description="Reach it by TLS, with the system's roots. Default: off, as the server's default.",
    )
    progress_ca_file: FilePath | None = Field(
        default=None,
        description="Reach it by TLS, with the roots in this PEM file. It is read again, as are the two"
        " below, when the server cannot be reached: a new one needs no restart. Default: none.",
    )
    progress_certificate_file: FilePath | None = Field(
        default=None,
        description="Reach it by TLS, and show it the certificate in this PEM file: a server with"
        " PROGRESS_TLS_CLIENT_CA_FILE asks for one. Default: none.",
    )
    progress_key_file: FilePath | None = Field(
        default=None, description="The key of that certificate, PEM. Default: none."
    )
    progress_token_file: FilePath | None = Field(
        default=None,
        description="A file with the bearer token that reads batches; it is read again for each call, so that"
        " a new one needs no restart. Default: none.",
    )
    viewers_max: int = Field(
        default=5_000,
        ge=1,
        description="Viewers of batches at a time; more are told to come again. Default 5,000: some 230 MiB,"
        " and of a busy batch a change a second or more for each, on one core.",
    )
    watches_max: int = Field(
        default=500,
        ge=1,
        description="Batches watched at a time, a stream of ProgressService each, however many view them."
        " Default 500: a fortieth of what one server holds.",
    )
    drain_seconds: float = Field(
        default=5,
        ge=0,
        le=3_600,
        description="Seconds that answers under way may take after SIGTERM; pages connect again by"
        " themselves. Default 5: an answer takes less or never comes.",
    )

    @field_validator("listen")
    @classmethod
    def _has_a_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or int(port) > PORT_MAX:
            raise ValueError("must be host:port")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.progress_certificate_file is None) != (self.progress_key_file is None):
            raise ValueError(
                "DASHBOARD_PROGRESS_CERTIFICATE_FILE and DASHBOARD_PROGRESS_KEY_FILE go together"
            )
        self._try_tls()
        return self

    def _try_tls(self) -> None:
        """Find out now what gRPC would only say as a server that does not answer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if self.progress_ca_file is not None:
                context.load_verify_locations(self.progress_ca_file)
        except OSError:
            raise ValueError("DASHBOARD_PROGRESS_CA_FILE holds no certificate in PEM") from None
        try:
            if self.progress_certificate_file is not None:
                # Without a password OpenSSL would ask the terminal for it.
                context.load_cert_chain(self.progress_certificate_file, self.progress_key_file, password="")
        except OSError:
            raise ValueError(
                "DASHBOARD_PROGRESS_KEY_FILE and DASHBOARD_PROGRESS_CERTIFICATE_FILE are no pair in PEM"
            ) from None
