"""A running job, which reports how it ends."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from batchprogress.v1 import progress_pb2 as pb

Cancelled = Literal["failed", "pending"]
"""What becomes of a job whose asyncio task was cancelled by somebody else."""

Report = Callable[[pb.JobOutcome.ValueType, BaseException | None], None]
"""Reports the outcome of a job, with the exception that it failed with."""


class Job:
    """A running job, as `reporter.job(…)` returns it.

    Example:
        >>> with reporter.job("17") as job:
        ...     job.skip()

    """

    def __init__(self, report: Report, cancelled: Cancelled, is_batch_cancelled: Callable[[], bool]) -> None:
        self.outcome: pb.JobOutcome.ValueType = pb.JOB_OUTCOME_SUCCEEDED
        self._report = report
        self._cancelled = cancelled
        self._is_batch_cancelled = is_batch_cancelled

    @property
    def cancelled(self) -> bool:
        """Whether the batch of the job is cancelled, as `is_cancelled` of the reporter knows it.

        Example:
            >>> with reporter.job("17") as job:
            ...     if job.cancelled:
            ...         job.skip()

        """
        return self._is_batch_cancelled()

    def skip(self) -> None:
        """Report the job as skipped: it ends without doing its work.

        Example:
            >>> with reporter.job("17") as job:
            ...     job.skip()

        """
        self.outcome = pb.JOB_OUTCOME_SKIPPED

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Report how the block ended."""
        self.end(error)

    def end(self, error: BaseException | None) -> None:
        """Report how the job ended; `error` is the exception that ended it. Called by `reports` only."""
        if error is None:
            self._report(self.outcome, None)
        elif isinstance(error, asyncio.CancelledError):
            self._end_by(error)
        elif isinstance(error, Exception):
            self._fail(error)

    def end_cancelled(self) -> None:
        """Report a cancelled job as failed, if its reporter says so. Called by `reports` only."""
        if self._cancelled == "failed":
            self._fail(asyncio.CancelledError())

    def _end_by(self, error: asyncio.CancelledError) -> None:
        task = _current_task()
        # Without a request to cancel its task, the job raised the error, or awaited what was cancelled.
        if self._cancelled == "failed" or task is None or not (requests := task.cancelling()):
            self._fail(error)
        else:  # a time limit around the block, in the same task, withdraws its request on the way out
            task.get_loop().call_soon(lambda: self._fail(error) if task.cancelling() < requests else None)

    def _fail(self, error: BaseException) -> None:
        self._report(pb.JOB_OUTCOME_FAILED, error)


def _current_task() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        return None
