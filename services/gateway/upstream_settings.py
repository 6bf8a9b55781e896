"""The settings of the gateway's connection to ProgressService."""

import ssl
from typing import Self

from pydantic import Field, field_validator, model_validator

from process.addresses import check_target
from process.readable_file import ReadableFile
from rpc.port_settings import PortSettings


class UpstreamSettings(PortSettings):
    """Where ProgressService is, and how it is reached."""

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

    @field_validator("progress_target")
    @classmethod
    def _check_target(cls, value: str) -> str:
        return check_target(value)

    @model_validator(mode="after")
    def _check_progress_tls(self) -> Self:
        self.require_all_or_none(("progress_certificate_file", "progress_key_file"))
        self._try_tls()
        return self

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
