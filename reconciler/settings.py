"""The reconciler's settings from the environment."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ReconcilerSettings(BaseSettings):
    """Settings with the prefix RECONCILER_."""

    model_config = SettingsConfigDict(env_prefix="RECONCILER_")

    job_status_target: str = Field(
        default="127.0.0.1:50052",
        min_length=1,
        description="gRPC target of the JobStatusService in front of the queue. Default: where"
        " `python -m services.job_status` listens on the same machine.",
    )
    job_status_seconds_max: float = Field(
        default=10.0,
        gt=0,
        le=60,
        description="Seconds one try of one call to it may take. A page of 5,000 jobs takes a queue some"
        " 100 ms; a queue that needs 10 s for it is as good as away.",
    )
    job_status_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authorities whose certificate that service may have; sets TLS."
        " /etc/ssl/certs/ca-certificates.crt are the system's. Default: plaintext.",
    )
    job_status_certificate_file: Path | None = Field(
        default=None,
        description="PEM file of the reconciler's own certificate, for a service that asks. Default: none.",
    )
    job_status_key_file: Path | None = Field(
        default=None, description="PEM file of that certificate's key. Default: none."
    )
    job_status_token_file: Path | None = Field(
        default=None,
        description="File of the bearer token for that service (role reader). Default: none is sent.",
    )
    stuck_after: float = Field(
        default=300.0,
        ge=0,
        description="Seconds without a result after which a batch is looked at. 0: at once. Five minutes"
        " are longer than most jobs take, and as long as a CronJob's usual period.",
    )
    retention: float = Field(
        default=2_592_000.0,
        ge=0,
        description="Seconds an ended batch is kept before it is deleted. 0: for ever. 30 days cover a"
        " monthly report.",
    )
    pass_seconds_max: float = Field(
        default=240.0,
        gt=0,
        description="Seconds after which a pass begins no further batch. With the seconds it then gives to"
        " those under way (8) it must stay below the CronJob's activeDeadlineSeconds (270).",
    )
    concurrency: int = Field(
        default=4,
        ge=1,
        le=32,
        description="Batches looked at at the same time. A pass waits for the queue most of the time; four"
        " hide that wait, and more would only press on a queue that is busy with its jobs.",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        own = (self.job_status_certificate_file, self.job_status_key_file)
        if None in own and own != (None, None):
            raise ValueError(
                "RECONCILER_JOB_STATUS_CERTIFICATE_FILE and RECONCILER_JOB_STATUS_KEY_FILE go together"
            )
        if own != (None, None) and self.job_status_ca_file is None:
            raise ValueError("RECONCILER_JOB_STATUS_CERTIFICATE_FILE needs RECONCILER_JOB_STATUS_CA_FILE")
        return self
