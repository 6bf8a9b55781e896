"""What can be wrong with a request to the core. Each is translated once, at the edge of a deployable."""


class BatchError(Exception):
    """Something asked of a batch cannot be done; the text is for people and may leave the server."""


class BatchNotFound(BatchError):
    """There is no such batch."""

    def __init__(self, batch_id: str) -> None:
        """Name the batch."""
        super().__init__(f"there is no batch {batch_id}")


class BatchConflict(BatchError):
    """The batch exists with other numbers."""

    def __init__(self, batch_id: str, total_jobs: int, *, sealed: bool) -> None:
        """Tell with which numbers it exists."""
        kind = "sealed" if sealed else "unsealed"
        super().__init__(f"batch {batch_id} exists, created {kind} with {total_jobs} jobs")


class BatchSealed(BatchError):
    """The total of a sealed batch is final."""

    def __init__(self, batch_id: str) -> None:
        """Name the batch."""
        super().__init__(f"batch {batch_id} is sealed: its total is final")


class BatchCancelled(BatchError):
    """A cancelled batch takes no more jobs."""

    def __init__(self, batch_id: str) -> None:
        """Name the batch."""
        super().__init__(f"batch {batch_id} is cancelled")


class BatchCompleted(BatchError):
    """A completed batch cannot be cancelled."""

    def __init__(self, batch_id: str) -> None:
        """Name the batch."""
        super().__init__(f"batch {batch_id} has completed")


class TotalTooLarge(BatchError):
    """The batch would have more jobs than a batch may have."""

    def __init__(self, batch_id: str, total_jobs_max: int) -> None:
        """Name the batch and the limit."""
        super().__init__(f"batch {batch_id} would have more than {total_jobs_max} jobs")


class RequestConflict(BatchError):
    """The request id was used with another number of jobs."""

    def __init__(self, batch_id: str, request_id: str, additional_jobs: int) -> None:
        """Tell what the first request was."""
        super().__init__(f"request {request_id} of batch {batch_id} added {additional_jobs} jobs")


class BatchFull(BatchError):
    """Each job of the sealed batch has a result; this one is one too many."""

    def __init__(self, batch_id: str, job_id: str, total_jobs: int) -> None:
        """Name the job and the total it is beyond."""
        super().__init__(f"job {job_id} is beyond the {total_jobs} jobs of the sealed batch {batch_id}")


class ResultConflict(BatchError):
    """This attempt of the job has another outcome already."""

    def __init__(self, batch_id: str, job_id: str, attempt: int, outcome: str) -> None:
        """Tell which outcome stays."""
        super().__init__(f"attempt {attempt} of job {job_id} of batch {batch_id} is recorded as {outcome}")


class DatabaseUnavailable(Exception):
    """The database does not answer, or not in time; nothing was acknowledged.

    The cause is chained for the log; its text never leaves the server.
    """


class ValueRefused(Exception):
    """The database refuses a value: a defect, since each is checked before it gets there."""


class SchemaMismatch(Exception):
    """The database has the schema of another version of this program."""


class UpgradeUnderWay(Exception):
    """Another upgrade of the schema runs, longer than this one waits; trying again later helps."""
