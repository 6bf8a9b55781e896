"""The settings that every program with an HTTP port has, each with the prefix of its program."""

import ssl
from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings

from process.addresses import check_target, split_address
from process.readable_file import ReadableFile
from services.gateway.web.host_check import ANY_HOST, host_name

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""No website can have these names."""


class HttpSettings(BaseSettings):
    """Where a program serves HTTP, and how it reaches ProgressService."""

    listen: str
    allowed_hosts: str
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
    progress_ca_file: ReadableFile | None = Field(
        default=None,
        description="Connect with TLS, using the root certificates in this PEM file. This file and the two"
        " below are read again when the server cannot be reached, so that replacing them needs no restart."
        " Default: none.",
    )
    progress_certificate_file: ReadableFile | None = Field(
        default=None,
        description="Connect with TLS, using the client certificate in this PEM file, which a server with"
        " PROGRESS_TLS_CLIENT_CA_FILE requires. Default: none.",
    )
    progress_key_file: ReadableFile | None = Field(
        default=None, description="PEM file of the key of that certificate. Default: none."
    )

    @property
    def hosts(self) -> frozenset[str]:
        """The names under which requests are answered, in lower case."""
        listed = (name.strip().lower() for name in self.allowed_hosts.split(","))
        return LOCAL_HOSTS | {split_address(self.listen)[0]} | {name for name in listed if name}

    @field_validator("allowed_hosts")
    @classmethod
    def _has_names(cls, value: str) -> str:
        for name in filter(None, map(str.strip, value.split(","))):
            if name != ANY_HOST and host_name(name) != name.lower().strip("[]"):
                raise ValueError(f"has {name!r}, which is not a host name without scheme, port and path")
        return value

    @field_validator("progress_target")
    @classmethod
    def _check_target(cls, value: str) -> str:
        return check_target(value)

    @field_validator("listen")
    @classmethod
    def _has_a_port(cls, value: str) -> str:
        host, _ = split_address(value)
        if not host:  # would be every address of the machine
            raise ValueError("must be host:port")
        return value

    @model_validator(mode="after")
    def _check_progress_tls(self) -> Self:
        if (self.progress_certificate_file is None) != (self.progress_key_file is None):
            names = self.variable("progress_certificate_file"), self.variable("progress_key_file")
            raise ValueError(f"{names[0]} and {names[1]} must be set together")
        self._try_tls()
        return self

    @classmethod
    def variable(cls, name: str) -> str:
        """Return the variable that sets a field."""
        return f"{cls.model_config.get('env_prefix', '')}{name}".upper()

    def _try_tls(self) -> None:
        """Check the files now: gRPC would only report a server that does not answer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if self.progress_ca_file is not None:
                context.load_verify_locations(self.progress_ca_file)
        except OSError:
            raise ValueError(f"{self.variable('progress_ca_file')} contains no PEM certificate") from None
        try:
            if self.progress_certificate_file is not None:
                # Without a password OpenSSL would ask the terminal for it.
                context.load_cert_chain(self.progress_certificate_file, self.progress_key_file, password="")
        except OSError:
            names = self.variable("progress_key_file"), self.variable("progress_certificate_file")
            raise ValueError(f"{names[0]} and {names[1]} are not a PEM pair") from None
