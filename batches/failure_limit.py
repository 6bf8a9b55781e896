"""How many jobs of a batch may fail, and why a batch is cancelled. Pure."""

import enum
from dataclasses import dataclass


class CancelReason(enum.IntEnum):
    """Why a batch was cancelled. The numbers are stored in the database and equal those of the contract."""

    REQUESTED = 1
    QUEUE = 2
    FAILURE_LIMIT = 3


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """The failed jobs that a batch may have, as a number or as a share: one of the two is set."""

    jobs: int | None = None
    percent: int | None = None
    """Of all jobs."""

    def is_exceeded(self, failed_jobs: int, total_jobs: int, *, is_final: bool) -> bool:
        """Return whether more jobs failed than the limit allows.

        Args:
            failed_jobs: The number of failed jobs.
            total_jobs: The number of all jobs.
            is_final: Whether that number is final: the first failure of a batch that grows is a large share.

        """
        if self.jobs is not None:
            return failed_jobs > self.jobs
        return self.percent is not None and is_final and failed_jobs * 100 > self.percent * total_jobs

    def __str__(self) -> str:
        """Return the limit in words."""
        return f"{self.percent} % failed jobs" if self.jobs is None else f"{self.jobs} failed jobs"
