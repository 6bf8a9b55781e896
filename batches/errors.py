"""The errors of the core. Each deployable translates them once, at its edge."""

from datetime import datetime


class BatchError(Exception):
    """A request that the rules of a batch do not allow. The text is for people and may leave the server."""


class BatchNotFound(BatchError):
    """The batch does not exist."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"there is no batch {batch_id}")


class BatchConflict(BatchError):
    """The batch exists and was created with other numbers or another failure limit."""

    def __init__(self, batch_id: str, total_jobs: int, *, sealed: bool, limit: str = "") -> None:
        kind = "sealed" if sealed else "unsealed"
        numbers = f"{total_jobs} jobs and {limit}" if limit else f"{total_jobs} jobs"
        super().__init__(f"batch {batch_id} already exists: it was created {kind} with {numbers}")


class BatchEnded(BatchError):
    """The batch exists and has ended, and its creator asked for a new one."""

    def __init__(self, batch_id: str, state: str, complete_time: datetime) -> None:
        super().__init__(
            f"batch {batch_id} already exists and has ended: it was {state.lower()}"
            f" at {complete_time:%Y-%m-%d %H:%M:%S} UTC"
        )


class BatchSealed(BatchError):
    """The batch is sealed: its total is final."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"batch {batch_id} is sealed: its total is final")


class BatchCancelled(BatchError):
    """The batch is cancelled: jobs can no longer be added."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"batch {batch_id} is cancelled: jobs can no longer be added")


class BatchCompleted(BatchError):
    """The batch has completed: it can no longer be cancelled."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"batch {batch_id} has completed: it can no longer be cancelled")


class BatchProcessing(BatchError):
    """The batch has not ended: it cannot be deleted."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"batch {batch_id} is processing: only a batch that has ended can be deleted")


class TotalTooLarge(BatchError):
    """The batch would have more jobs than the limit."""

    def __init__(self, batch_id: str, total_jobs_max: int) -> None:
        super().__init__(f"batch {batch_id} would have more than {total_jobs_max} jobs")


class RequestConflict(BatchError):
    """The request_id was already used to add another number of jobs."""

    def __init__(self, batch_id: str, request_id: str, additional_jobs: int) -> None:
        super().__init__(
            f"request {request_id} of batch {batch_id} was already used: it added {additional_jobs} jobs"
        )


class BatchFull(BatchError):
    """Every job of the sealed batch already has a result."""

    def __init__(self, batch_id: str, job_id: str, total_jobs: int) -> None:
        super().__init__(
            f"job {job_id} was not recorded: all {total_jobs} jobs of sealed batch {batch_id} have a result"
        )


class ResultConflict(BatchError):
    """This attempt of the job is already recorded with another outcome."""

    def __init__(self, batch_id: str, job_id: str, attempt: int, outcome: str) -> None:
        super().__init__(
            f"attempt {attempt} of job {job_id} of batch {batch_id} is already recorded as {outcome}"
        )


class ResultNotFound(BatchError):
    """The job has no recorded result."""

    def __init__(self, batch_id: str, job_id: str) -> None:
        super().__init__(f"job {job_id} of batch {batch_id} has no recorded result")


class DeliveryNotFound(Exception):
    """There is no such delivery."""

    def __init__(self, delivery_id: str) -> None:
        super().__init__(
            f"there is no delivery {delivery_id}; deliveries are kept for 30 days after their end"
        )


class DatabaseUnavailable(Exception):
    """The database did not answer in time; nothing was acknowledged.

    The text is a sentence for those who run the database: what has happened, to what, and what to do. It may
    name the host and the user, but no secret, and never leaves the server.
    """


class DatabaseUnusable(DatabaseUnavailable):
    """The database answers, but cannot be used until a person changes something."""


class NodeNotWritable(DatabaseUnavailable):
    """The database node answers, but takes no writes."""


class NodeLeft(NodeNotWritable):
    """The database node has left its cluster, and may answer reads with a state that grows old."""


class TransactionTooLarge(DatabaseUnavailable):
    """The database refused a transaction for its size; nothing was written, and a smaller one may succeed."""


class ValueRefused(Exception):
    """The database refused a value. This is a defect: every value is checked before it is written."""


class SchemaMismatch(Exception):
    """This version cannot run on the database's schema. The text says why, and what to do."""


class UpgradeUnderWay(Exception):
    """Another upgrade of the schema is running, and this one stopped waiting for it. A later try succeeds."""


class TablesInUse(Exception):
    """A transaction has used a table for longer than an upgrade waits. A later try succeeds."""

    def __init__(self, seconds_max: float) -> None:
        super().__init__(
            f"a transaction has used a table for {seconds_max:.0f} s, so the upgrade stopped; no report"
            " waits. When that transaction has ended (a dump or a session: see SHOW PROCESSLIST), run"
            " `python -m batches upgrade` again"
        )
