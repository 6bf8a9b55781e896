"""The reconciler's settings from the environment."""

from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from process.addresses import check_target
from process.readable_file import ReadableFile
from process.settings import Settings


class ReconcilerSettings(Settings):
    """Settings with the prefix RECONCILER_."""

    prefix: ClassVar[str] = "RECONCILER_"

    job_status_target: str = Field(
        default="127.0.0.1:50052",
        min_length=1,
        description="gRPC target of the JobStatusService in front of your queue. Default 127.0.0.1:50052:"
        " where `python -m services.job_status` listens on the same machine.",
    )
    job_status_seconds_max: float = Field(
        default=10.0,
        gt=0,
        le=60,
        description="Deadline of a call to the JobStatusService, in seconds, including retries while it is"
        " unavailable. Each page of a batch's jobs is one call. The call for its counts may take this long"
        " per 100,000 jobs, at most ten times as long. Default 10: a queue returns a page of 5,000 jobs in"
        " about 100 ms.",
    )
    job_status_ca_file: ReadableFile | None = Field(
        default=None,
        description="PEM file of the certificate authorities that may have signed the service's certificate;"
        " setting it turns TLS on. The system's authorities are usually in"
        " /etc/ssl/certs/ca-certificates.crt. Default: calls are in plaintext.",
    )
    job_status_certificate_file: ReadableFile | None = Field(
        default=None,
        description="PEM file of the reconciler's own certificate, for a service that requires one. Default:"
        " none.",
    )
    job_status_key_file: ReadableFile | None = Field(
        default=None, description="PEM file of the private key of that certificate. Default: none."
    )
    job_status_token_file: ReadableFile | None = Field(
        default=None,
        description="File with the bearer token for the service; the token needs the role reader. Default:"
        " no token is sent.",
    )
    queue_name: str = Field(
        default="the queue",
        min_length=1,
        max_length=40,
        pattern=r"^\S(.*\S)?$",
        description="Name of your queue, such as Celery, in stall_reason and in the reasons that are kept"
        " with repairs. Default: the queue.",
    )
    stuck_after: float = Field(
        default=300.0,
        ge=0,
        description="Seconds without a result after which a batch is stuck and is checked; 0 checks every"
        " batch that has not ended. Default 300: longer than most jobs take, and the usual period of a"
        " CronJob.",
    )
    unchanged_after: float = Field(
        default=3_600.0,
        gt=0,
        description="Seconds without a change after which a batch that the queue cannot end needs a person,"
        " as its reason then says. Default 3600: longer than most jobs take; raise it if yours take longer.",
    )
    retention: float = Field(
        default=2_592_000.0,
        ge=0,
        description="Seconds after its end at which a batch is deleted; 0 keeps batches forever. Default"
        " 2592000: 30 days, which cover a monthly report.",
    )
    pass_seconds_max: float = Field(
        default=240.0,
        gt=0,
        description="Seconds after which a pass starts no further batch. Default 240: with the 8 s that"
        " batches in progress then have, it is below the CronJob's activeDeadlineSeconds (270).",
    )
    concurrency: int = Field(
        default=4,
        ge=1,
        le=32,
        description="Number of batches about which the queue is asked at the same time. Default 4: a pass"
        " mostly waits for the queue. Four batches hide this wait; more would only load a queue that is busy"
        " with its jobs.",
    )

    @field_validator("job_status_target")
    @classmethod
    def _check_target(cls, value: str) -> str:
        return check_target(value)

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        own = (self.job_status_certificate_file, self.job_status_key_file)
        if None in own and own != (None, None):
            raise ValueError(
                "RECONCILER_JOB_STATUS_CERTIFICATE_FILE and RECONCILER_JOB_STATUS_KEY_FILE go together"
            )
        if own != (None, None) and self.job_status_ca_file is None:
            raise ValueError("RECONCILER_JOB_STATUS_CERTIFICATE_FILE needs RECONCILER_JOB_STATUS_CA_FILE")
        return self
