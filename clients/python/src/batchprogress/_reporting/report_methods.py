"""The methods that report how a job ended, shared by every kind of reporter."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, get_args

from batchprogress._grpc.error_text import message_of, type_of
from batchprogress._reporting.buffer import Report
from batchprogress._reporting.cancelled_batches import CancelledBatches
from batchprogress._reporting.error_details import details_of
from batchprogress._reporting.fields import to_report
from batchprogress._reporting.followed import reported
from batchprogress._reporting.job import Cancelled, Job
from batchprogress.errors import ReportNotTaken
from batchprogress.v1 import progress_pb2 as pb

P = ParamSpec("P")
R = TypeVar("R")


class ReportMethods(ABC):
    """Reports how jobs ended.

    No method waits or uses the network, and none raises unless the reporter is strict.
    job_id and batch_id are 1 to 128 printable ASCII characters without spaces; attempts count from 1.
    """

    def __init__(
        self,
        batch_id: str | None,
        cancelled_batches: CancelledBatches,
        *,
        strict: bool,
        cancelled: Cancelled = "pending",
        error_details: bool = True,
    ) -> None:
        if cancelled not in get_args(Cancelled):
            raise ValueError(f"cancelled is 'failed' or 'pending', not {cancelled!r}")
        self._batch_id = batch_id
        self.cancelled_batches = cancelled_batches
        self._cancelled: Cancelled = cancelled
        self._strict = strict
        self._error_details = error_details

    def succeeded(
        self, job_id: str, *, batch_id: str | None = None, attempt: int = 1, display_name: str = ""
    ) -> None:
        """Report that a job did its work.

        Args:
            job_id: the job.
            batch_id: its batch; by default the reporter's.
            attempt: which run of the job this was.
            display_name: what the job does, for people; cut to 200 characters.

        Raises:
            ReportNotTaken: only if strict: the buffer is full, the reporter is closed, or a field is invalid.

        Example:
            >>> reporter.succeeded("17")
            >>> reporter.succeeded("17", batch_id="another", attempt=2, display_name="sync_row(17)")

        """
        self._report_plain(pb.JOB_OUTCOME_SUCCEEDED, job_id, batch_id, attempt, display_name)

    def failed(  # noqa: PLR0913  # options, by keyword only
        self,
        job_id: str,
        error: BaseException | str = "",
        *,
        error_type: str = "",
        error_details: str | None = None,
        batch_id: str | None = None,
        attempt: int = 1,
        display_name: str = "",
    ) -> None:
        """Report that a job failed.

        Args:
            job_id: the job.
            error: the exception that ended it, or a message.
            error_type: what failures are grouped by; by default the class of the exception.
            error_details: more about the error, of which the last 16 KiB are sent. By default the stack trace
                of the exception, unless the reporter was made with error_details=False.
            batch_id: its batch; by default the reporter's.
            attempt: which run of the job this was.
            display_name: what the job does, for people; cut to 200 characters.

        Raises:
            ReportNotTaken: only if strict: the buffer is full, the reporter is closed, or a field is invalid.

        Example:
            >>> reporter.failed("18", TimeoutError("no answer after 30 s"))
            >>> reporter.failed("19", "no such row", error_type="MissingRow")

        """
        if isinstance(error, BaseException):
            if error_details is None and self._error_details:
                error_details = details_of(error)
            error_type = error_type or type_of(error)
            error = message_of(error)
        error_fields = (error_type, error, error_details or "")
        self._report(pb.JOB_OUTCOME_FAILED, job_id, batch_id, attempt, display_name, error=error_fields)

    def skipped(
        self, job_id: str, *, batch_id: str | None = None, attempt: int = 1, display_name: str = ""
    ) -> None:
        """Report that a job ended without doing its work.

        Args:
            job_id: the job.
            batch_id: its batch; by default the reporter's.
            attempt: which run of the job this was.
            display_name: what the job does, for people; cut to 200 characters.

        Raises:
            ReportNotTaken: only if strict: the buffer is full, the reporter is closed, or a field is invalid.

        Example:
            >>> reporter.skipped("20")

        """
        self._report_plain(pb.JOB_OUTCOME_SKIPPED, job_id, batch_id, attempt, display_name)

    def job(
        self,
        job_id: str,
        *,
        batch_id: str | None = None,
        attempt: int = 1,
        display_name: str = "",
        cancelled: Cancelled | None = None,
    ) -> Job:
        """Report how the block ends: succeeded, skipped if it called `skip()`, or failed with its exception.

        The exception propagates. KeyboardInterrupt and SystemExit end the worker, not the job: nothing is
        reported, since the queue runs the job again or the reconciler recovers it. Use it with `with` in
        coroutines too; Reporter says what happens when their task is cancelled.

        Args:
            job_id: the job.
            batch_id: its batch; by default the reporter's.
            attempt: which run of the job this is.
            display_name: what the job does, for people; cut to 200 characters.
            cancelled: "failed" or "pending"; by default as the reporter.

        Returns:
            A context manager, which gives itself: the job.

        Raises:
            ReportNotTaken: only if strict: the buffer is full, the reporter is closed, or a field is invalid.

        Example:
            >>> with reporter.job("17"):
            ...     work()

        """

        def report(outcome: pb.JobOutcome.ValueType, error: BaseException | None) -> None:
            if error is None:
                self._report_plain(outcome, job_id, batch_id, attempt, display_name)
            else:
                self.failed(job_id, error, batch_id=batch_id, attempt=attempt, display_name=display_name)

        return Job(report, cancelled or self._cancelled, lambda: self.is_cancelled(batch_id))

    def is_cancelled(self, batch_id: str | None = None) -> bool:
        """Return whether a batch is cancelled, as the newest answer to a report says.

        Each answer to a report carries the state of its batch, so nothing is asked and nothing waits. A
        process learns of a cancelled batch with its next report to that batch, or with one of a process that
        shares this reporter by a fork. Until then, and if the answer has been displaced by a thousand others,
        it is False. If the id of a cancelled batch is used again, it is True until the first answer.

        Args:
            batch_id: the batch; by default the reporter's.

        Returns:
            Whether it is known to be cancelled.

        Example:
            >>> if not reporter.is_cancelled():
            ...     reporter.succeeded("17")

        """
        return self.cancelled_batches.has(batch_id or self._batch_id or "")

    def reports(
        self,
        job_id: Callable[..., str],
        *,
        attempt: Callable[..., int] | None = None,
        display_name: Callable[..., str] | None = None,
        cancelled: Cancelled | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorate a function that runs a job, so that each call reports how it ended.

        The function may be of any kind. If it returns a coroutine, a future, a generator or an async
        generator, the job ends with that: when it has been awaited, or iterated to its end. A generator that
        is closed early reports nothing, since its work was not done; it is pending.

        Args:
            job_id: returns the job of a call; called with the arguments of the function.
            attempt: returns which run of the job this is; called with the same arguments.
            display_name: returns what the job does, for people; called with the same arguments.
            cancelled: "failed" or "pending", as for `job`.

        Returns:
            The decorator. If one of these functions raises, the function is called without a report; if the
            reporter is strict, the call raises ReportNotTaken instead.

        Raises:
            TypeError: what is decorated cannot be called.

        Example:
            >>> @reporter.reports(job_id=lambda row: str(row))
            ... def sync_row(row):
            ...     work()
            >>> sync_row(17)

        """

        def start(*args: Any, **kwargs: Any) -> Job | None:
            try:
                number = attempt(*args, **kwargs) if attempt else 1
                name = display_name(*args, **kwargs) if display_name else ""
                return self.job(
                    job_id(*args, **kwargs), attempt=number, display_name=name, cancelled=cancelled
                )
            except Exception as error:  # noqa: BLE001  # the caller's code; a report never fails a job
                self._not_taken("NO_JOB_ID", error)
                return None

        return lambda function: reported(function, start)

    @abstractmethod
    def _enqueue(self, report: Report) -> None:
        """Accept a report to be sent; raises ReportNotTaken."""

    @abstractmethod
    def _drop(self, error: ReportNotTaken) -> None:
        """Count a report as dropped."""

    def _report_plain(
        self,
        outcome: pb.JobOutcome.ValueType,
        job_id: str,
        batch_id: str | None,
        attempt: int,
        display_name: str,
    ) -> None:
        """Report a job without an error, as most are: a reporter may have a shorter way for it."""
        self._report(outcome, job_id, batch_id, attempt, display_name)

    def _report(  # noqa: PLR0913  # the fields of a report
        self,
        outcome: pb.JobOutcome.ValueType,
        job_id: str,
        batch_id: str | None,
        attempt: int,
        display_name: str,
        *,
        error: tuple[str, str, str] | None = None,
    ) -> None:
        """Enqueue a report; `error` is its type, its message and its details."""
        try:
            self._enqueue(
                to_report(outcome, job_id, batch_id or self._batch_id or "", attempt, display_name, error)
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
