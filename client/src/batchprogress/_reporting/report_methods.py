"""The methods that report how a job ended, shared by every kind of reporter."""

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ParamSpec, TypeVar

from batchprogress._reporting.buffer import Report
from batchprogress.errors import ReportNotTaken
from batchprogress.v1 import progress_pb2 as pb

ERROR_TYPE_CHARACTERS_MAX = 200
"""The contract's limit. The server cuts longer texts too, but until then they would fill our buffer."""
ERROR_MESSAGE_CHARACTERS_MAX = 2_000
"""The contract's limit, cut for the same reason."""

P = ParamSpec("P")
R = TypeVar("R")


class Job:
    """A running job, as `reporter.job(…)` yields it.

    Example:
        >>> with reporter.job("17") as job:
        ...     job.skip()

    """

    def __init__(self) -> None:
        self.outcome: pb.JobOutcome.ValueType = pb.JOB_OUTCOME_SUCCEEDED

    def skip(self) -> None:
        """Report the job as skipped: it ends without doing its work.

        Example:
            >>> with reporter.job("17") as job:
            ...     job.skip()

        """
        self.outcome = pb.JOB_OUTCOME_SKIPPED


class ReportMethods(ABC):
    """Reports how jobs ended.

    No method waits or uses the network, and none raises unless the reporter is strict.
    job_id and batch_id are 1 to 128 printable ASCII characters without spaces; attempts count from 1.
    """

    def __init__(self, batch_id: str | None, *, strict: bool) -> None:
        self._batch_id = batch_id
        self._strict = strict

    def succeeded(self, job_id: str, *, batch_id: str | None = None, attempt: int = 1) -> None:
        """Report that a job did its work.

        Args:
            job_id: the job.
            batch_id: its batch; by default the reporter's.
            attempt: which run of the job this was.

        Raises:
            ReportNotTaken: only if strict: the buffer is full, the reporter is closed, or a field is invalid.

        Example:
            >>> reporter.succeeded("17")
            >>> reporter.succeeded("17", batch_id="another", attempt=2)

        """
        self._report(pb.JOB_OUTCOME_SUCCEEDED, job_id, batch_id, attempt)

    def failed(
        self,
        job_id: str,
        error: BaseException | str = "",
        *,
        error_type: str = "",
        batch_id: str | None = None,
        attempt: int = 1,
    ) -> None:
        """Report that a job failed.

        Args:
            job_id: the job.
            error: the exception that ended it, or a message.
            error_type: what failures are grouped by; by default the class of the exception.
            batch_id: its batch; by default the reporter's.
            attempt: which run of the job this was.

        Raises:
            ReportNotTaken: only if strict: the buffer is full, the reporter is closed, or a field is invalid.

        Example:
            >>> reporter.failed("18", TimeoutError("no answer after 30 s"))
            >>> reporter.failed("19", "no such row", error_type="MissingRow")

        """
        if isinstance(error, BaseException):
            error_type = error_type or type_of(error)
            error = message_of(error)
        self._report(pb.JOB_OUTCOME_FAILED, job_id, batch_id, attempt, (error_type, error))

    def skipped(self, job_id: str, *, batch_id: str | None = None, attempt: int = 1) -> None:
        """Report that a job ended without doing its work.

        Args:
            job_id: the job.
            batch_id: its batch; by default the reporter's.
            attempt: which run of the job this was.

        Raises:
            ReportNotTaken: only if strict: the buffer is full, the reporter is closed, or a field is invalid.

        Example:
            >>> reporter.skipped("20")

        """
        self._report(pb.JOB_OUTCOME_SKIPPED, job_id, batch_id, attempt)

    @contextmanager
    def job(self, job_id: str, *, batch_id: str | None = None, attempt: int = 1) -> Iterator[Job]:
        """Report how the block ends: succeeded, skipped if it called `skip()`, or failed with its exception.

        The exception propagates. KeyboardInterrupt, SystemExit and CancelledError end the worker, not the
        job: nothing is reported, since the queue runs the job again or the reconciler recovers it. Use it
        with `with` in coroutines too.

        Args:
            job_id: the job.
            batch_id: its batch; by default the reporter's.
            attempt: which run of the job this is.

        Raises:
            ReportNotTaken: only if strict: the buffer is full, the reporter is closed, or a field is invalid.

        Example:
            >>> with reporter.job("17"):
            ...     work()

        """
        job = Job()
        try:
            yield job
        except Exception as error:
            self.failed(job_id, error, batch_id=batch_id, attempt=attempt)
            raise
        self._report(job.outcome, job_id, batch_id, attempt)

    def reports(
        self, job_id: Callable[..., str], *, attempt: Callable[..., int] | None = None
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorate a function or coroutine function that runs a job, so that each call reports how it ended.

        Args:
            job_id: returns the job of a call; called with the arguments of the function.
            attempt: returns which run of the job this is; called with the same arguments.

        Returns:
            The decorator. If `job_id` or `attempt` raises, the function is called without a report; if the
            reporter is strict, the call raises ReportNotTaken instead.

        Example:
            >>> @reporter.reports(job_id=lambda row: str(row))
            ... def sync_row(row):
            ...     work()
            >>> sync_row(17)

        """

        def reported(*args: Any, **kwargs: Any) -> AbstractContextManager[object]:
            try:
                number = attempt(*args, **kwargs) if attempt else 1
                return self.job(job_id(*args, **kwargs), attempt=number)
            except Exception as error:  # noqa: BLE001  # the caller's code; a report never fails a job
                self._not_taken("NO_JOB_ID", error)
                return nullcontext()

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            @functools.wraps(function)
            def call(*args: P.args, **kwargs: P.kwargs) -> R:
                with reported(*args, **kwargs):
                    return function(*args, **kwargs)

            @functools.wraps(function)
            async def call_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                with reported(*args, **kwargs):
                    return await function(*args, **kwargs)  # type: ignore[misc]  # a coroutine function's

            return call_async if inspect.iscoroutinefunction(function) else call  # type: ignore[return-value]

        return decorate

    @abstractmethod
    def _enqueue(self, report: Report) -> None:
        """Accept a report to be sent; raises ReportNotTaken."""

    @abstractmethod
    def _drop(self, error: ReportNotTaken) -> None:
        """Count a report as dropped."""

    def _report(
        self,
        outcome: pb.JobOutcome.ValueType,
        job_id: str,
        batch_id: str | None,
        attempt: int,
        error: tuple[str, str] = ("", ""),
    ) -> None:
        """Enqueue a report; `error` is its type and its message."""
        try:
            self._enqueue(
                Report(
                    batch_id=batch_id or self._batch_id or "",
                    job_id=job_id,
                    outcome=outcome,
                    attempt=attempt,
                    error_type=clip(error[0], ERROR_TYPE_CHARACTERS_MAX),
                    error_message=clip(error[1], ERROR_MESSAGE_CHARACTERS_MAX),
                )
            )
        except ReportNotTaken:
            if self._strict:
                raise
        except (TypeError, ValueError, AttributeError) as mistake:  # for example an integer as job_id
            self._not_taken("INVALID_FIELD", mistake)

    def _not_taken(self, reason: str, error: Exception) -> None:
        refusal = ReportNotTaken(reason, message_of(error))
        self._drop(refusal)
        if self._strict:
            raise refusal from error


def type_of(error: BaseException) -> str:
    """Return the class of an exception, with its module unless that is Python's own."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def message_of(error: BaseException) -> str:
    """Return the message of an exception, even if its own __str__ raises."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # __str__ is the caller's code; a job fails with its own exception
        return f"({type_of(error)} without a message)"


def clip(text: str, characters_max: int) -> str:
    """Return the beginning of a text, with ? in place of characters that UTF-8 cannot encode."""
    return text[:characters_max].encode("utf-8", "replace").decode("utf-8")
