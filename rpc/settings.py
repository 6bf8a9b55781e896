"""What may be chosen about any server here: who reaches it, who is let in, what is seen of it."""

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings

from process.addresses import split_address
from rpc.callers.jwt_tokens import Algorithm

_TLS = ("tls_certificate_file", "tls_key_file")
_JWT = ("jwt_key_file", "jwt_algorithm", "jwt_audience", "jwt_issuer")


class ServerSettings(BaseSettings):
    """Settings that every server has, under its own prefix."""

    tls_certificate_file: Path | None = Field(
        default=None,
        description="PEM file of the server's certificate and those below it, read again when it changes."
        " Default: plaintext, for this machine, or behind a mesh that encrypts.",
    )
    tls_key_file: Path | None = Field(
        default=None, description="PEM file of the certificate's key, without a password. Default: none."
    )
    tls_client_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authorities whose certificates clients must have. Default: clients"
        " need no certificate.",
    )
    tokens_file: Path | None = Field(
        default=None,
        description="File of hashed tokens and their roles (python -m rpc.new_token --help), read again when"
        " it changes. Default: without it and JWT_…, whoever reaches the server may do everything.",
    )
    jwt_key_file: Path | None = Field(
        default=None,
        description="PEM file of the public key of an issuer of signed tokens (JWT), read again when it"
        " changes. Their claims: sub, exp, aud, iss, roles (worker, reader, operator), batch_prefix if any."
        " Default: none are believed.",
    )
    jwt_algorithm: Algorithm | None = Field(
        default=None,
        description="The one algorithm that is believed: RS256, PS256, ES256 or EdDSA. Default: none, since"
        " it is the issuer's choice.",
    )
    jwt_audience: str | None = Field(
        default=None, min_length=1, description="Whom a signed token must be for (aud). Default: none."
    )
    jwt_issuer: str | None = Field(
        default=None, min_length=1, description="Whom a signed token must be from (iss). Default: none."
    )
    caller_calls_per_second_max: float | None = Field(
        default=None,
        gt=0,
        description="Calls that each caller (the name of its token) may make in a second; more are answered"
        " RESOURCE_EXHAUSTED. The file of tokens may say otherwise. Default: no limit.",
    )
    admin_listen: str = Field(
        default="127.0.0.1:0",
        description="host:port of health, reflection and channelz (gRPC, plaintext, no token), for probes and"
        " people on this machine. Default: a free port, told in the log.",
    )
    metrics_listen: str = Field(
        default="127.0.0.1:0",
        description="host:port of the metrics (HTTP, Prometheus' format). Default: a free port, told in the"
        " log.",
    )
    log_calls: bool = Field(
        default=False,
        description="Log a line for each call: method, code, milliseconds, caller, request id. Default: off;"
        " metrics count calls, and a busy server answers thousands a second.",
    )
    traces_endpoint: str | None = Field(
        default=None,
        min_length=1,
        description="http://host:port of an OpenTelemetry collector (OTLP over gRPC) that gets a span for"
        " each call and each flush; needs the extra `traces`. Default: no traces, nothing of it is loaded.",
    )

    @field_validator("admin_listen", "metrics_listen")
    @classmethod
    def _address(cls, value: str) -> str:
        split_address(value)
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        self._all_or_none(_TLS)
        self._all_or_none(_JWT)
        if self.tls_client_ca_file is not None and self.tls_certificate_file is None:
            raise ValueError(
                f"{self._variable('tls_client_ca_file')} needs {self._variable('tls_certificate_file')}"
            )
        return self

    def _all_or_none(self, names: tuple[str, ...]) -> None:
        missing = [name for name in names if getattr(self, name) is None]
        if missing and len(missing) < len(names):
            there = next(name for name in names if name not in missing)
            raise ValueError(
                f"{self._variable(there)} is set, so set {', '.join(map(self._variable, missing))} too"
            )

    def _variable(self, name: str) -> str:
        return f"{self.model_config.get('env_prefix', '')}{name}".upper()
