"""The settings of the notifier, each from the environment variable NOTIFIER_<NAME>."""

from typing import ClassVar

from pydantic import Field, field_validator

from process.addresses import split_address
from process.readable_file import ReadableFile
from process.settings import Settings


class NotifierSettings(Settings):
    """Settings with the prefix NOTIFIER_."""

    prefix: ClassVar[str] = "NOTIFIER_"

    subscriptions_file: ReadableFile | None = Field(
        default=None,
        description="TOML file of the receivers of webhooks and their secrets (docs/webhooks.md), reloaded"
        " when it or a secret changes. Default: none; the notifier then does nothing.",
    )
    allow_private_addresses: bool = Field(
        default=False,
        description="Let webhooks use http and addresses that are not public, for receivers in your own"
        " network. Default: off, so that whoever sets a URL cannot reach internal servers.",
    )
    attempt_seconds_max: float = Field(
        default=15,
        gt=0,
        le=60,
        description="Seconds that a receiver may take to answer, including the lookup of its address. Default"
        " 15: a receiver should answer first and work afterwards.",
    )
    receiver_concurrency: int = Field(
        default=16,
        ge=1,
        le=256,
        description="Maximum number of webhooks that this process sends to one receiver at a time. Default"
        " 16: 160 events per second if an answer takes 0.1 s.",
    )
    ca_file: ReadableFile | None = Field(
        default=None,
        description="PEM file of the authorities that sign the certificates of receivers, read at the start."
        " Default: those of the system.",
    )
    drain_seconds: float = Field(
        default=20,
        ge=0,
        le=3_600,
        description="Seconds that attempts in progress may take after SIGTERM; another notifier repeats those"
        " that are cut. Default 20: above ATTEMPT_SECONDS_MAX, below Kubernetes' grace period of 30 s.",
    )
    admin_listen: str = Field(
        default="127.0.0.1:0",
        description="host:port of health, reflection and channelz (gRPC in plaintext, without tokens), for"
        " probes and for people on this machine. Default: a free port, which the log shows.",
    )
    metrics_listen: str = Field(
        default="127.0.0.1:0",
        description="host:port of the metrics (HTTP, Prometheus format). Default: a free port, which the log"
        " shows.",
    )

    @field_validator("admin_listen", "metrics_listen")
    @classmethod
    def _check_address(cls, value: str) -> str:
        split_address(value)
        return value
