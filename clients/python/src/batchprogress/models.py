"""The server's answers as immutable Python values.

All times are aware datetimes in UTC, taken from the database's clock. Each value keeps the protobuf message
that it was read from in `message`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from batchprogress.v1 import operations_pb2
from batchprogress.v1 import progress_pb2 as pb


class BatchState(StrEnum):
    """The state of a batch."""

    PROCESSING = "processing"
    """Jobs are pending, or may still be added."""
    COMPLETED = "completed"
    """The batch is sealed and every job has a result. Says nothing about failures: the tallies do."""
    CANCELLED = "cancelled"
    """The batch was ended before its jobs: `cancel_reason` says why."""


class CancelReason(StrEnum):
    """Why a batch is cancelled."""

    REQUESTED = "requested"
    """By `cancel`."""
    QUEUE = "queue"
    """The queue cancelled it, and the reconciler found that."""
    FAILURE_LIMIT = "failure_limit"
    """More jobs failed than `max_failed_jobs` or `max_failed_percent` allows."""


class JobOutcome(StrEnum):
    """How an attempt of a job ended."""

    SUCCEEDED = "succeeded"
    """The job did its work."""
    FAILED = "failed"
    """The job ended with an error."""
    SKIPPED = "skipped"
    """The job ended without doing its work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """The number of a batch's jobs by outcome, at one moment. They always add up to `total_jobs`."""

    state: BatchState
    total_jobs: int
    succeeded_jobs: int
    failed_jobs: int
    skipped_jobs: int
    pending_jobs: int
    """The number of jobs without a result."""
    message: pb.Tallies = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch at one revision. Its tallies always add up to `total_jobs`."""

    batch_id: str
    display_name: str
    """The name for people; empty if none was given."""
    labels: Mapping[str, str] = field(hash=False)
    state: BatchState
    sealed: bool
    """Whether the total is final: only a sealed batch can complete."""
    total_jobs: int
    """The number of jobs; in an unsealed batch, the announced or the reported jobs, whichever are more."""
    succeeded_jobs: int
    failed_jobs: int
    skipped_jobs: int
    pending_jobs: int
    """The number of jobs without a result."""
    percent_complete: int
    """The share of jobs with a result, rounded down. 100 only if sealed and nothing is pending."""
    revision: int
    """Rises by one with every committed change of the batch; 1 at its creation."""
    create_time: datetime
    last_result_time: datetime | None
    """When the newest result was recorded; None without results."""
    complete_time: datetime | None
    """When the batch was completed or cancelled; None while it is processing."""
    jobs_per_second: float
    """The recent rate, an average over about 30 seconds; 0 once it has expired (`pace_holds_for`), and after
    the end."""
    estimated_complete_time: datetime | None
    """When the batch ends at this rate; None at rate 0, while the batch is unsealed, and after its end."""
    stall_reason: str
    """Why the batch does not move, and what the reconciler found when it last looked, as a sentence; empty
    while it moves and after its end."""
    reconciled_jobs: int
    """The number of results that came from the reconciler instead of a worker."""
    pace_holds_for: timedelta | None
    """How much longer the rate and the estimate hold if no result arrives; None at rate 0."""
    cancel_reason: CancelReason | None
    """Why the batch is cancelled; None if it is not, and if a server of version 0.1 cancelled it."""
    max_failed_jobs: int | None
    """How many jobs may fail before the batch is cancelled; None without such a limit."""
    max_failed_percent: int | None
    """Which share of its jobs may fail, in percent, before it is cancelled; None without such a limit."""
    is_deleted: bool = False
    """Whether it no longer exists, and this is the last state that was seen. Only from `watch_batches`."""
    message: pb.Batch = field(repr=False, compare=False)

    @property
    def has_ended(self) -> bool:
        """Whether the batch is completed or cancelled."""
        return self.state is not BatchState.PROCESSING

    @property
    def ended_jobs(self) -> int:
        """The number of jobs with a result."""
        return self.total_jobs - self.pending_jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """The recorded result of a job: that of its latest attempt."""

    job_id: str
    outcome: JobOutcome
    attempt: int
    """The number of the attempt, counted from 1."""
    error_type: str
    """The kind of the error, for example the class of the exception; empty without an error."""
    error_message: str
    record_time: datetime
    reconciled: bool
    """Whether the result came from the reconciler instead of a worker."""
    display_name: str
    """What the job does; empty if it was not reported."""
    error_details: str
    """More about the error, such as a stack trace: from `job_result` only, and empty if it was not kept."""
    message: pb.JobResult = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Failed jobs of a batch with similar errors."""

    error_type: str
    """The kind of the error; empty for failures that were reported without one."""
    failed_jobs: int
    """The number of jobs in the group."""
    message_template: str
    """What the error messages have in common, with `<*>` for each part that varies."""
    sample_error_message: str
    sample_job_id: str
    """The first job of the group, in ascending byte order of the ids; empty if it is unknown."""
    fingerprint: str
    """Identifies the group in `results`. Empty for the one group of all kinds of errors after the first
    1,000, and from servers of version 0.1."""
    message: pb.FailureGroup = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingJob:
    """A job that was pending in the queue when the reconciler last looked."""

    job_id: str
    display_name: str
    """A name for people; empty if the queue does not tell one."""
    attempt: int
    """The number of the attempt that it waits for or runs, counted from 1."""
    message: pb.PendingJob = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingJobs:
    """What the reconciler found when it last looked at a batch that it left open."""

    jobs: tuple[PendingJob, ...]
    """The first 1,000 pending jobs, in ascending byte order of ids; none if the queue keeps only counts."""
    look_time: datetime | None
    """When the reconciler looked; None if it has not looked since the last result of the batch."""
    reason: str
    """Why it left the batch open, as a sentence."""
    message: pb.ListPendingJobsResponse = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One change that the reconciler made to a batch."""

    before: Tallies
    after: Tallies
    reason: str
    """Why the batch was repaired, as a sentence."""
    repair_time: datetime
    message: pb.Repair = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPoint:
    """The tallies of a batch from one moment on, until the next point."""

    time: datetime
    total_jobs: int
    succeeded_jobs: int
    failed_jobs: int
    skipped_jobs: int
    message: pb.HistoryPoint = field(repr=False, compare=False)

    @property
    def ended_jobs(self) -> int:
        """The number of jobs that had ended, however they ended."""
        return self.succeeded_jobs + self.failed_jobs + self.skipped_jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A pass of the reconciler."""

    start_time: datetime
    end_time: datetime | None
    """None while it runs, and for good if it was killed."""
    manual: bool
    """Whether a person asked for it, for one batch or for all."""
    batches_looked_at: int
    batches_repaired: int
    batches_left: Mapping[str, int] = field(hash=False)
    """The number of batches that it left, by the reason, as in the reconciler's summary."""
    errors: int
    """The number of left batches that need another try or a person."""
    cut_short: str
    """Why it stopped early, as a sentence; empty if it did not."""
    message: operations_pb2.Pass = field(repr=False, compare=False)


class DeliveryState(StrEnum):
    """The state of a delivery."""

    PENDING = "pending"
    """Not delivered yet."""
    DELIVERED = "delivered"
    """Answered with a 2xx status."""
    DEAD = "dead"
    """Given up: after the last attempt, or because the receiver is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A webhook on its way to one subscriber."""

    delivery_id: str
    """The webhook-id that the subscriber gets."""
    batch_id: str
    event_type: str
    """batch.completed, batch.cancelled, batch.stuck or batch.recovered."""
    subscription: str
    """The name of the subscription; empty for the URL that the creator of the batch gave."""
    state: DeliveryState
    attempts: int
    """The number of attempts, since `retry_delivery` if it was sent again."""
    last_answer: str
    """The result of the last attempt, as a sentence; empty before it."""
    create_time: datetime
    """When the event happened."""
    next_attempt_time: datetime | None
    """When it is tried next; None unless it is pending."""
    end_time: datetime | None
    """When it was delivered or given up; None before."""
    message: operations_pb2.Delivery = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchToken:
    """A token that reads one batch, for a browser."""

    token: str = field(repr=False)
    """The bearer token."""
    expire_time: datetime
    """When it expires, by the server's clock."""
    message: pb.CreateWatchTokenResponse = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """What a caller may know about the server, and about itself."""

    version: str
    """The version of the server."""
    database: str
    """The kind and version of its database."""
    caller: str
    """The name of the caller's token; empty if the server requires no token."""
    roles: tuple[str, ...]
    """The roles of the caller: worker, reader, operator."""
    batch_prefix: str
    """What the ids of the caller's batches begin with; empty if all batches are its own."""
    last_pass_time: datetime | None
    """When the last pass of the reconciler over all batches ended; None if none has."""
    message: operations_pb2.GetServerInfoResponse = field(repr=False, compare=False)
