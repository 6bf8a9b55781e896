"""Reports the jobs of RQ from its worker.

    worker       a killed, stopped or abandoned job ──▶ Relay
    work-horse   handle_job_success, handle_job_failure, handle_job_retry ──▶ the same Relay, also if spawned
    SimpleWorker runs its jobs in its own process ──▶ Reporter

A job is an RQ job with RQ's id. Its attempt is the number of times that a worker has started it, which is
kept in the hash of the job: RQ itself counts retries, but not the runs after `rq requeue`. A job is pending
until RQ will not run it again by itself. The jobs that depend on a job without success are skipped with it.
"""

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from rq import Queue, Retry
from rq.exceptions import AbandonedJobError
from rq.executions import Execution
from rq.job import Job
from rq.worker import SimpleWorker, SpawnWorker, Worker

from batchprogress._grpc.error_text import message_of
from batchprogress._reporting.report_methods import ReportMethods
from batchprogress.integrations.relay import Relay
from batchprogress.integrations.rq_dependents import SKIPPED_ATTEMPT, blocked_by
from batchprogress.integrations.rq_jobs import attempt_of, batch_of, count_attempt, fields_of
from batchprogress.reporter import Reporter

RETRIES_EXCEEDED = "RetriesExceeded"
"""The error type of a job that returned Retry too often; RQ has no exception for it."""

_log = logging.getLogger("batchprogress")

if TYPE_CHECKING:
    _Base = Worker
else:  # any worker class that it is mixed into
    _Base = object


class ReportsJobs(_Base):
    """Makes a worker class report the jobs that belong to a batch.

        class ProgressWorker(ReportsJobs, Worker):      # rq worker --worker-class my_module.ProgressWorker
            reporter = Reporter("progress:50051")

    It works with Worker, SimpleWorker, SpawnWorker and their subclasses.
    """

    reporter: Reporter
    """Reports the jobs. It names no batch and has reported nothing yet."""
    report_retries = False
    """Report an attempt that RQ will retry as failed until the next attempt replaces it. Failures show early,
    but a batch whose last jobs wait for a retry is already completed."""
    skip_cancelled = False
    """Do not start the jobs of a batch that is known to be cancelled. They are canceled in RQ and reported as
    skipped."""

    _error: BaseException | None = None
    """The exception of the running job."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._relay = Relay(self.reporter)
        self._reports: ReportMethods = self.reporter if isinstance(self, SimpleWorker) else self._relay
        if isinstance(self, SpawnWorker):
            self._relay.inherit()

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Start the relay before the first fork."""
        if isinstance(self, SimpleWorker):
            self.reporter.start()
        else:
            self._relay.start()
        super().bootstrap(*args, **kwargs)

    def teardown(self) -> None:
        """End, then let the relay flush; the reporter of a SimpleWorker flushes at the interpreter's exit."""
        super().teardown()  # type: ignore[no-untyped-call]
        if not self.is_horse:
            self._relay.close()

    def prepare_execution(self, job: Job) -> Execution:
        """Count the attempt in the worker, where a killed work-horse cannot undo it."""
        if not isinstance(self, SimpleWorker):
            self._relay.start()  # otherwise each work-horse would replace a relay that has died
        if batch_of(job):
            count_attempt(job)
        execution: Execution = super().prepare_execution(job)
        return execution

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job, unless its batch is cancelled."""
        if not (self.skip_cancelled and self._has_cancelled(job, queue)):
            super().execute_job(job, queue)

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Share the relay with a work-horse that is spawned; a forked one has it."""
        with self._relay.shared() if isinstance(self, SpawnWorker) else nullcontext():
            super().fork_work_horse(job, queue)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Keep the exception for handle_job_failure, which RQ calls next."""
        self._error = exc_info[1]
        super().handle_exception(job, *exc_info)

    def handle_job_success(self, job: Job, *args: Any, **kwargs: Any) -> None:
        """Report the success once RQ has stored it, which may still fail the job."""
        batch_id, fields = batch_of(job), fields_of(job, attempt_of(job))
        super().handle_job_success(job, *args, **kwargs)
        if batch_id:
            self._reports.succeeded(job.id, **fields)

    def handle_job_failure(
        self,
        job: Job,
        queue: Queue,
        started_job_registry: Any = None,
        exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:
        """Report a failed job, unless RQ retries it; a stopped one is skipped."""
        is_stopped, is_retried = self._stopped_job_id == job.id, job.should_retry
        attempt = attempt_of(job)
        error, self._error = self._error, None
        super().handle_job_failure(job, queue, started_job_registry, exc_string, execution)
        if is_stopped:
            self._report_skipped(job, attempt)
        elif error is not None:
            self._report_failed(job, attempt, error, is_retried=is_retried)
        else:  # the work-horse is gone; RQ's message begins with what happened to it
            kind = exc_string.partition(";")[0]
            self._report_failed(job, attempt, exc_string, error_type=kind, is_retried=is_retried)

    def handle_job_retry(self, job: Job, queue: Queue, retry: Retry, *args: Any, **kwargs: Any) -> None:
        """Report a job that returned Retry as failed, if RQ will not retry it again."""
        is_retried = (job.number_of_retries or 0) < retry.max
        attempt = attempt_of(job)
        super().handle_job_retry(job, queue, retry, *args, **kwargs)
        message = f"returned Retry after {retry.max} allowed retries"
        self._report_failed(job, attempt, message, error_type=RETRIES_EXCEEDED, is_retried=is_retried)

    def clean_registries(self) -> None:
        """Report the jobs that RQ gives up here because their worker is gone."""
        self._exc_handlers.insert(0, self._report_abandoned)
        try:
            super().clean_registries()  # type: ignore[no-untyped-call]
        finally:
            self._exc_handlers.remove(self._report_abandoned)

    def _report_abandoned(
        self, job: Job, kind: type[BaseException], error: BaseException, _trace: object
    ) -> None:
        if kind is AbandonedJobError:
            self._report_failed(job, attempt_of(job), error, is_retried=job.should_retry)

    def _has_cancelled(self, job: Job, queue: Queue) -> bool:
        """Cancel a job that was taken from its queue if its batch is cancelled; return whether it was."""
        try:
            batch_id = batch_of(job)
            if not batch_id or not self.reporter.cancelled_batches.has(batch_id, job.created_at.timestamp()):
                return False
            attempt = count_attempt(job)
            job.cancel()
            queue.intermediate_queue.remove(job.id)
        except Exception as error:  # noqa: BLE001  # of RQ or Redis; it would end the worker
            _log.warning("job %s of a cancelled batch runs: %s", job.id, message_of(error))
            return False
        self._report_skipped(job, attempt)
        return True

    def _report_skipped(self, job: Job, attempt: int) -> None:
        if batch_of(job):
            self._reports.skipped(job.id, **fields_of(job, attempt))
        self._skip_dependents(job, has_failed=False)

    def _skip_dependents(self, job: Job, *, has_failed: bool) -> None:
        try:
            for dependent in blocked_by(job, has_failed=has_failed):
                if batch_of(dependent):
                    self._reports.skipped(dependent.id, **fields_of(dependent, SKIPPED_ATTEMPT))
        except Exception as error:  # noqa: BLE001  # of RQ or Redis; the job has ended and must stay so
            _log.warning("the jobs that depend on job %s were not reported: %s", job.id, message_of(error))

    def _report_failed(
        self, job: Job, attempt: int, error: BaseException | str, *, is_retried: bool, error_type: str = ""
    ) -> None:
        if batch_of(job) and (self.report_retries or not is_retried):
            self._reports.failed(job.id, error, error_type=error_type, **fields_of(job, attempt))
        if not is_retried:
            self._skip_dependents(job, has_failed=True)
