"""What a job says: how it ended. The part that Reporter and AsyncReporter have in common."""

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ParamSpec, TypeVar

from batchprogress._reporting.buffer import Report
from batchprogress.errors import ReportNotTaken, ReportsRefused, ReportsUnsent
from batchprogress.v1 import progress_pb2 as pb

ERROR_TYPE_CHARACTERS_MAX = 200
"""The contract's limit: the server cuts there too, but what it cuts would wait in our memory."""
ERROR_MESSAGE_CHARACTERS_MAX = 2_000
"""As above."""

P = ParamSpec("P")
R = TypeVar("R")


class Job:
    """A job under way, as `reporter.job(…)` gives it."""

    def __init__(self) -> None:
        """Begin as one that will have done its work."""
        self.outcome: pb.JobOutcome.ValueType = pb.JOB_OUTCOME_SUCCEEDED

    def skip(self) -> None:
        """Say that it ends without doing its work: it is reported as skipped, not as succeeded."""
        self.outcome = pb.JOB_OUTCOME_SKIPPED


class ReportCalls(ABC):
    """The calls that report how a job ended.

    None of them waits, asks the network or, unless the reporter is strict, raises.
    job_id and batch_id are 1 to 128 printable ASCII characters without spaces; attempt counts from 1.
    """

    def __init__(self, batch_id: str | None, *, strict: bool) -> None:
        """Take the batch of reports that name none."""
        self._batch_id = batch_id
        self._strict = strict

    def succeeded(self, job_id: str, *, batch_id: str | None = None, attempt: int = 1) -> None:
        """Report that a job did its work.

        Raises:
            ReportNotTaken: only if strict: the buffer is full, the reporter closed, a field no such value.

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
        """Report that a job failed, with its exception, or with a message and the kind of the error.

        Failures are grouped by their kind: by default the exception's class.

        Raises:
            ReportNotTaken: as for `succeeded`.

        """
        if isinstance(error, BaseException):
            error_type = error_type or type_of(error)
            error = message_of(error)
        self._report(pb.JOB_OUTCOME_FAILED, job_id, batch_id, attempt, (error_type, error))

    def skipped(self, job_id: str, *, batch_id: str | None = None, attempt: int = 1) -> None:
        """Report that a job ended without doing its work.

        Raises:
            ReportNotTaken: as for `succeeded`.

        """
        self._report(pb.JOB_OUTCOME_SKIPPED, job_id, batch_id, attempt)

    @contextmanager
    def job(self, job_id: str, *, batch_id: str | None = None, attempt: int = 1) -> Iterator[Job]:
        """Report how the block ends: succeeded (or skipped, if it said so), or failed with its exception.

        The exception goes on. What is no Exception (KeyboardInterrupt, SystemExit, CancelledError) ends the
        worker rather than the job and reports nothing: the queue runs the job again, or the reconciler
        asks it. Use it with `with` in coroutines too.
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
        """Decorate a function (or coroutine function) that does a job, so that each call reports its end.

        job_id and attempt are called with the function's own arguments; if they raise, the call is not
        reported (unless strict: then it raises ReportNotTaken, and the function is not called).
        """

        def around(*args: Any, **kwargs: Any) -> AbstractContextManager[object]:
            try:
                number = attempt(*args, **kwargs) if attempt else 1
                return self.job(job_id(*args, **kwargs), attempt=number)
            except Exception as error:  # noqa: BLE001  # anybody's code; progress never fails a job
                self._not_taken("NO_JOB_ID", error)
                return nullcontext()

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            @functools.wraps(function)
            def call(*args: P.args, **kwargs: P.kwargs) -> R:
                with around(*args, **kwargs):
                    return function(*args, **kwargs)

            @functools.wraps(function)
            async def call_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                with around(*args, **kwargs):
                    return await function(*args, **kwargs)  # type: ignore[misc]  # a coroutine function's

            return call_async if inspect.iscoroutinefunction(function) else call  # type: ignore[return-value]

        return decorate

    def _told(self, *, answered: bool, refused: Mapping[str, int], pending: int) -> bool:
        """Return whether all was answered, or, if strict, raise what was not as it should be."""
        if self._strict and refused:
            raise ReportsRefused(refused)
        if self._strict and not answered:
            raise ReportsUnsent(pending)
        return answered

    @abstractmethod
    def _put(self, report: Report) -> None:
        """Take a report to be sent; raises ReportNotTaken."""

    @abstractmethod
    def _drop(self, error: ReportNotTaken) -> None:
        """Count a report that is none."""

    def _report(
        self,
        outcome: pb.JobOutcome.ValueType,
        job_id: str,
        batch_id: str | None,
        attempt: int,
        error: tuple[str, str] = ("", ""),
    ) -> None:
        """Put a report; `error` is its kind and its message."""
        try:
            self._put(
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
        except (TypeError, ValueError, AttributeError) as mistake:  # a job_id that is a number, and the like
            self._not_taken("INVALID_FIELD", mistake)

    def _not_taken(self, reason: str, error: Exception) -> None:
        refusal = ReportNotTaken(reason, message_of(error))
        self._drop(refusal)
        if self._strict:
            raise refusal from error


def type_of(error: BaseException) -> str:
    """Return the class of an exception with its module, unless that is Python's own."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def message_of(error: BaseException) -> str:
    """Return an exception in words; whatever its own code does, a job fails with its own exception."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # the words of an exception are anybody's code
        return f"({type_of(error)} without words)"


def clip(text: str, characters_max: int) -> str:
    """Return the beginning of a text, with ? for what UTF-8 has no bytes for."""
    return text[:characters_max].encode("utf-8", "replace").decode("utf-8")
