"""The settings of the gateway, each from the environment variable GATEWAY_<NAME>."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from process.addresses import is_loopback, split_address
from process.readable_file import ReadableFile
from process.secret_files import read_token
from services.gateway.web.settings import HttpSettings

ANY_ORIGIN = "*"


class GatewaySettings(HttpSettings):
    """Settings with the prefix GATEWAY_."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    listen: str = Field(
        default="127.0.0.1:8080",
        description="host:port to serve HTTP on; port 0 picks a free port. Default: this machine only.",
    )
    allowed_hosts: str = Field(
        default="",
        description="Names, separated by commas, under which clients reach the gateway, without ports; *"
        " allows every name. Other names are answered 421, since a website could point its own name at"
        " this address to read batches. The host of GATEWAY_LISTEN, localhost, 127.0.0.1 and ::1 are"
        " always allowed. Default: no others.",
    )
    cors_origins: str = Field(
        default="",
        description="Origins of other websites, separated by commas, whose pages may call the gateway, such"
        " as https://app.example; * allows every website, which with GATEWAY_ANONYMOUS_READS lets every"
        " one read all batches. Browsers ask again after two hours. Default: none.",
    )
    token_file: ReadableFile | None = Field(
        default=None,
        description="A file with the bearer token of a reader, for the watches behind /v1/batch/events and"
        " the reads of callers without a token. It is read again for each call, so that replacing it needs no"
        " restart. Default: none.",
    )
    anonymous_reads: bool | None = Field(
        default=None,
        description="Whether callers without a token read with the token of GATEWAY_TOKEN_FILE; they never"
        " write with it. Default: true if GATEWAY_LISTEN is a loopback address, otherwise false.",
    )
    read_only: bool = Field(
        default=False,
        description="Serve only the methods that read, events and the page. Default: off, since the server"
        " decides by the caller's token what it may do.",
    )
    tls_certificate_file: ReadableFile | None = Field(
        default=None,
        description="PEM file of the gateway's certificate, followed by the intermediate certificates;"
        " reloaded when it changes. Default: plaintext, for this machine or behind a proxy that"
        " encrypts.",
    )
    tls_key_file: ReadableFile | None = Field(
        default=None, description="PEM file of the certificate's key, without a password. Default: none."
    )
    tls_client_ca_file: ReadableFile | None = Field(
        default=None,
        description="PEM file of the authorities that sign client certificates; if it is set, clients must"
        " have a certificate. Default: clients need none.",
    )
    call_seconds_max: float = Field(
        default=30,
        gt=0,
        le=3_600,
        description="Seconds that a call may take, streams aside; a caller may ask for less with"
        " Connect-Timeout-Ms. Default 30: the server answers in milliseconds, or refuses within some"
        " seconds.",
    )
    request_seconds_max: float = Field(
        default=30,
        gt=0,
        le=3_600,
        description="Seconds that a request may take from its first byte to its last. Default 30: 4 MiB at 1"
        " Mbit/s.",
    )
    streams_max: int = Field(
        default=2_000,
        ge=1,
        description="Maximum number of WatchBatch streams at a time; others are answered RESOURCE_EXHAUSTED."
        " There are 2,000 further connections for calls. Default 2,000: each is a watch of the progress"
        " server, which allows 20,000.",
    )
    viewers_max: int = Field(
        default=10_000,
        ge=1,
        description="Maximum number of viewers of /v1/batch/events at a time; others are answered 429."
        " Default 10,000: about 210 MiB.",
    )
    batch_viewers_max: int = Field(
        default=5_000,
        ge=1,
        description="Maximum number of those viewers that view the same batch. Default 5,000: half of them.",
    )
    watches_max: int = Field(
        default=500,
        ge=1,
        description="Maximum number of batches with viewers at a time, each watched by one stream of the"
        " progress server that all its viewers share. Default 500: a fortieth of the watches that one server"
        " allows.",
    )
    metrics_listen: str = Field(
        default="127.0.0.1:0",
        description="host:port of the metrics (HTTP, Prometheus format). Default: a free port, which the log"
        " shows.",
    )
    drain_seconds: float = Field(
        default=20,
        ge=0,
        le=3_600,
        description="Seconds that running calls may take after SIGTERM; streams end at once, and clients"
        " resume them by revision. Default 20: with 5 s of Kubernetes' preStop it stays below the grace"
        " period of 30 s.",
    )

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of other websites whose pages may call the gateway."""
        return tuple(filter(None, (one.strip().lower() for one in self.cors_origins.split(","))))

    @property
    def reads_anonymously(self) -> bool:
        """Whether callers without a token read with the gateway's own."""
        return is_loopback(self.listen) if self.anonymous_reads is None else self.anonymous_reads

    @field_validator("cors_origins")
    @classmethod
    def _has_origins(cls, value: str) -> str:
        for origin in filter(None, map(str.strip, value.split(","))):
            parts = urlsplit(origin)
            if origin != ANY_ORIGIN and (
                parts.scheme not in {"http", "https"} or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(f"has {origin!r}, which is not an origin such as https://app.example")
        return value

    @field_validator("metrics_listen")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        split_address(value)
        return value

    @field_validator("token_file")
    @classmethod
    def _has_a_token(cls, value: ReadableFile | None) -> ReadableFile | None:
        if value is not None:
            read_token(value)
        return value

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            names = self.variable("tls_certificate_file"), self.variable("tls_key_file")
            raise ValueError(f"{names[0]} and {names[1]} must be set together")
        if self.tls_client_ca_file is not None and self.tls_certificate_file is None:
            raise ValueError(
                f"{self.variable('tls_client_ca_file')} needs {self.variable('tls_certificate_file')}"
            )
        return self
