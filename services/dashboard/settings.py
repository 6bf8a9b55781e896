"""The settings of the dashboard, each from the environment variable DASHBOARD_<NAME>."""

import ssl
from typing import Self

from pydantic import Field, FilePath, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from process.addresses import split_address
from services.dashboard.host_check import ANY_HOST, host_name

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""No website can have these names."""


class DashboardSettings(BaseSettings):
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
    progress_target: str = Field(
        default="127.0.0.1:50051",
        min_length=1,
        description="host:port of ProgressService, or any gRPC name: dns:///progress:50051 finds every"
        " replica of a headless Service. Default: where `python -m services.progress` listens.",
    )
    progress_tls: bool = Field(
        default=False,
        description="Connect with TLS, using the system's root certificates. Default: off, as on the server.",
    )
    progress_ca_file: FilePath | None = Field(
        default=None,
        description="Connect with TLS, using the root certificates in this PEM file. This file and the two"
        " below are read again when the server cannot be reached, so that replacing them needs no restart."
        " Default: none.",
    )
    progress_certificate_file: FilePath | None = Field(
        default=None,
        description="Connect with TLS, using the client certificate in this PEM file, which a server with"
        " PROGRESS_TLS_CLIENT_CA_FILE requires. Default: none.",
    )
    progress_key_file: FilePath | None = Field(
        default=None, description="PEM file of the key of that certificate. Default: none."
    )
    progress_token_file: FilePath | None = Field(
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

    @property
    def hosts(self) -> frozenset[str]:
        """The names under which the page is served, in lower case."""
        listed = (name.strip().lower() for name in self.allowed_hosts.split(","))
        return LOCAL_HOSTS | {split_address(self.listen)[0]} | {name for name in listed if name}

    @field_validator("allowed_hosts")
    @classmethod
    def _has_names(cls, value: str) -> str:
        for name in filter(None, map(str.strip, value.split(","))):
            if name != ANY_HOST and host_name(name) != name.lower().strip("[]"):
                raise ValueError(f"has {name!r}, which is not a host name without scheme, port and path")
        return value

    @field_validator("listen")
    @classmethod
    def _has_a_port(cls, value: str) -> str:
        host, _ = split_address(value)
        if not host:  # would be every address of the machine
            raise ValueError("must be host:port")
        return value

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        if (self.progress_certificate_file is None) != (self.progress_key_file is None):
            raise ValueError(
                "DASHBOARD_PROGRESS_CERTIFICATE_FILE and DASHBOARD_PROGRESS_KEY_FILE must be set together"
            )
        self._try_tls()
        return self

    def _try_tls(self) -> None:
        """Check the files now: gRPC would only report a server that does not answer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if self.progress_ca_file is not None:
                context.load_verify_locations(self.progress_ca_file)
        except OSError:
            raise ValueError("DASHBOARD_PROGRESS_CA_FILE contains no PEM certificate") from None
        try:
            if self.progress_certificate_file is not None:
                # Without a password OpenSSL would ask the terminal for it.
                context.load_cert_chain(self.progress_certificate_file, self.progress_key_file, password="")
        except OSError:
            raise ValueError(
                "DASHBOARD_PROGRESS_KEY_FILE and DASHBOARD_PROGRESS_CERTIFICATE_FILE are not a PEM pair"
            ) from None
