"""The settings that every gRPC server has besides those of its port: callers, telemetry, drain."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from process.addresses import check_listen, split_address
from process.readable_file import ReadableFile
from rpc.callers.signed_token_rules import Algorithm
from rpc.port_settings import PortSettings

CONNECTION_AGE_SECONDS_LIMIT = 2_000_000
"""gRPC counts the age in milliseconds, in 31 bits: 24 days."""

_JWT = ("jwt_key_file", "jwt_algorithm", "jwt_audience", "jwt_issuer")


class ServerSettings(PortSettings):
    """Settings of every server, each with the prefix of its service."""

    drain_seconds: float = Field(
        default=20,
        ge=0,
        le=3_600,
        description="Seconds that running calls may take after SIGTERM. Default 20: with 5 s of Kubernetes'"
        " preStop it stays below the grace period of 30 s.",
    )
    connection_age_seconds_max: int = Field(
        default=600,
        ge=10,
        le=CONNECTION_AGE_SECONDS_LIMIT,
        description="Seconds after which a connection is asked to end, so that clients find new replicas;"
        " watches resume by revision. Default 600: the load is balanced again ten minutes after a rollout.",
    )
    reflection: bool = Field(
        default=False,
        description="Let tools such as grpcurl list the services of this port; the admin port always lists"
        " its own. Default: off, as in production.",
    )
    tokens_file: ReadableFile | None = Field(
        default=None,
        description="File of hashed tokens with their roles (python -m rpc.new_token --help), reloaded when"
        " it changes. Default: none; without this and JWT_…, anyone who can reach the server may do"
        " everything.",
    )
    jwt_key_file: ReadableFile | None = Field(
        default=None,
        description="PEM file of the public key of an issuer of signed tokens (JWT), reloaded when it"
        " changes. Claims: sub, exp, aud, iss, roles (worker, reader, operator) and optionally batch_prefix."
        " Default: signed tokens are not accepted.",
    )
    jwt_algorithm: Algorithm | None = Field(
        default=None,
        description="The only accepted algorithm of signed tokens: RS256, PS256, ES256 or EdDSA. Default:"
        " none, since the issuer chooses it.",
    )
    jwt_audience: str | None = Field(
        default=None, min_length=1, description="The audience (aud) of accepted tokens. Default: none."
    )
    jwt_issuer: str | None = Field(
        default=None, min_length=1, description="The issuer (iss) of accepted tokens. Default: none."
    )
    caller_calls_per_second_max: float | None = Field(
        default=None,
        gt=0,
        description="Maximum number of calls per second of each caller (the name of its token); further"
        " calls are answered RESOURCE_EXHAUSTED. The file of tokens may set another limit for a token."
        " Default: no limit.",
    )
    admin_listen: str = Field(
        default="127.0.0.1:0",
        description="host:port of health, reflection and channelz (gRPC in plaintext, without tokens), for"
        " probes and for people on this machine. Default: a free port, which the log shows.",
    )
    log_calls: bool = Field(
        default=False,
        description="Log a line for each call: method, code, milliseconds, caller, request id. Default: off,"
        " since metrics count calls and a busy server answers thousands per second.",
    )
    traces_endpoint: str | None = Field(
        default=None,
        min_length=1,
        description="http://host:port of an OpenTelemetry collector (OTLP over gRPC) that receives a span for"
        " each call and each flush; needs the extra `traces`. Default: no traces, at no cost.",
    )

    @property
    def requires_tokens(self) -> bool:
        """Whether callers need a token."""
        return self.tokens_file is not None or self.jwt_key_file is not None

    @field_validator("listen")
    @classmethod
    def _check_listen(cls, value: str) -> str:
        return check_listen(value)

    @field_validator("traces_endpoint")
    @classmethod
    def _check_endpoint(cls, value: str | None) -> str | None:
        if value is not None:
            scheme, _, rest = value.partition("://")
            if scheme not in {"http", "https"}:
                raise ValueError("must be http://host:port or https://host:port")
            split_address(rest.rstrip("/"))
        return value

    @field_validator("admin_listen")
    @classmethod
    def _check_address(cls, value: str) -> str:
        split_address(value)
        return value

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        self.require_all_or_none(_JWT)
        return self
