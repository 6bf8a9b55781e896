"""RQ: reports jobs from RQ's worker, and creates a batch from many jobs in one call.

    worker       a killed, stopped or abandoned job ──▶ Relay
    work-horse   handle_job_success, handle_job_failure, handle_job_retry ──▶ the same Relay
    SimpleWorker runs its jobs in its own process ──▶ Reporter

A job is an RQ job with RQ's id. Its attempt is the number of times that a worker has started it, which is
kept in the hash of the job: RQ itself counts retries, but not the runs after `rq requeue`. A job is pending
until RQ will not run it again by itself.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rq import Queue, Retry
from rq.exceptions import AbandonedJobError
from rq.executions import Execution
from rq.group import Group
from rq.job import Job
from rq.queue import EnqueueData
from rq.worker import SimpleWorker, Worker

from batchprogress._reporting.report_methods import ReportMethods
from batchprogress.client import Client
from batchprogress.integrations.best_effort import BestEffortClient
from batchprogress.integrations.job_ids import BATCH_KEY, job_ids, keep_job_ids
from batchprogress.integrations.relay import Relay
from batchprogress.reporter import Reporter

ATTEMPTS_FIELD = "batchprogress_attempts"
"""A field in the hash of a job, which RQ keeps as long as the job."""
RETRIES_EXCEEDED = "RetriesExceeded"
"""The error type of a job that returned Retry too often; RQ has no exception for it."""

if TYPE_CHECKING:
    _Base = Worker
else:  # any worker class that it is mixed into
    _Base = object


class ReportsJobs(_Base):
    """Makes a worker class report the jobs that belong to a batch.

        class ProgressWorker(ReportsJobs, Worker):      # rq worker --worker-class my_module.ProgressWorker
            reporter = Reporter("progress:50051")

    It works with Worker, SimpleWorker and their subclasses.
    """

    reporter: Reporter
    """Reports the jobs. It names no batch and has reported nothing yet."""
    report_retries = False
    """Report an attempt that RQ will retry as failed until the next attempt replaces it. Failures show early,
    but a batch whose last jobs wait for a retry is already completed."""

    _error: BaseException | None = None
    """The exception of the running job."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._relay = Relay(self.reporter)
        self._reports: ReportMethods = self.reporter if isinstance(self, SimpleWorker) else self._relay

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
        if _batch_of(job):
            self.connection.hincrby(job.key, ATTEMPTS_FIELD, 1)
        execution: Execution = super().prepare_execution(job)
        return execution

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Keep the exception for handle_job_failure, which RQ calls next."""
        self._error = exc_info[1]
        super().handle_exception(job, *exc_info)

    def handle_job_success(self, job: Job, *args: Any, **kwargs: Any) -> None:
        """Report the success once RQ has stored it, which may still fail the job."""
        batch_id, attempt = _batch_of(job), self._attempt_of(job)
        super().handle_job_success(job, *args, **kwargs)
        if batch_id:
            self._reports.succeeded(job.id, batch_id=batch_id, attempt=attempt)

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
        attempt = self._attempt_of(job)
        error, self._error = self._error, None
        super().handle_job_failure(job, queue, started_job_registry, exc_string, execution)
        if is_stopped:
            self._report_stopped(job, attempt)
        elif error is not None:
            self._report_failed(job, attempt, error, is_retried=is_retried)
        else:  # the work-horse is gone; RQ's message begins with what happened to it
            kind = exc_string.partition(";")[0]
            self._report_failed(job, attempt, exc_string, error_type=kind, is_retried=is_retried)

    def handle_job_retry(self, job: Job, queue: Queue, retry: Retry, *args: Any, **kwargs: Any) -> None:
        """Report a job that returned Retry as failed, if RQ will not retry it again."""
        is_retried = (job.number_of_retries or 0) < retry.max
        attempt = self._attempt_of(job)
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
            self._report_failed(job, self._attempt_of(job), error, is_retried=job.should_retry)

    def _report_stopped(self, job: Job, attempt: int) -> None:
        if batch_id := _batch_of(job):
            self._reports.skipped(job.id, batch_id=batch_id, attempt=attempt)

    def _report_failed(
        self, job: Job, attempt: int, error: BaseException | str, *, is_retried: bool, error_type: str = ""
    ) -> None:
        batch_id = _batch_of(job)
        if batch_id and (self.report_retries or not is_retried):
            self._reports.failed(job.id, error, error_type=error_type, batch_id=batch_id, attempt=attempt)

    def _attempt_of(self, job: Job) -> int:
        """Return the number of the running attempt; call it before RQ may delete the job."""
        if not _batch_of(job):
            return 1
        return int(self.connection.hget(job.key, ATTEMPTS_FIELD) or 1)


class RQProgress:
    """Creates batches of jobs that are enqueued together.

        progress = RQProgress(Queue(connection=Redis()), Client("progress:50051"))
        progress.run("sync-2026-11", [Queue.prepare_data(sync_row, (row,)) for row in rows])

    Args:
        queue: the queue of the jobs.
        client: the server that gets the batches. The deprecated Batches works as well.
        strict: raise a failed call of the client instead of logging it; then nothing is enqueued.

    """

    def __init__(self, queue: Queue, client: Client | BestEffortClient, *, strict: bool = False) -> None:
        self.batches = (
            BestEffortClient(client.connection, strict=strict) if isinstance(client, Client) else client
        )
        self._queue = queue

    def run(
        self,
        batch_id: str,
        jobs: Iterable[EnqueueData],
        *,
        display_name: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> list[Job]:
        """Create a sealed batch of jobs and enqueue them.

        If the program is killed meanwhile, none are enqueued, and it may repeat the call. In RQ the jobs are
        a Group with the id of the batch; their ids are also kept for the reconciler. Jobs without an id get
        one.

        Args:
            batch_id: the new batch.
            jobs: the jobs, from Queue.prepare_data.
            display_name: a name for people.
            labels: labels to find batches by.

        Returns:
            The enqueued jobs.

        Raises:
            CallFailed: only if strict; then nothing is enqueued.

        """
        tagged = _tagged(batch_id, jobs)
        self.batches.create(batch_id, len(tagged), display_name=display_name, labels=labels)
        return self._enqueue(batch_id, tagged)

    def add(self, batch_id: str, jobs: Iterable[EnqueueData], *, part: str) -> list[Job]:
        """Add jobs to an unsealed batch and enqueue them.

        Args:
            batch_id: the batch.
            jobs: the jobs, from Queue.prepare_data.
            part: a name within the batch: a repeated call with the same name adds nothing.

        Returns:
            The enqueued jobs.

        Raises:
            CallFailed: only if strict; then nothing is enqueued.

        """
        tagged = _tagged(batch_id, jobs, part)
        self.batches.add_jobs(batch_id, len(tagged), part)
        return self._enqueue(batch_id, tagged)

    def _enqueue(self, batch_id: str, tagged: list[EnqueueData]) -> list[Job]:
        """Save the ids before a job can run: RQ removes a job from its Group minutes after it succeeded."""
        redis = self._queue.connection
        keep_job_ids(redis, batch_id, [one.job_id for one in tagged])
        jobs: list[Job] = Group(redis, batch_id).enqueue_many(self._queue, tagged)
        return jobs


def _tagged(batch_id: str, jobs: Iterable[EnqueueData], part: str = "") -> list[EnqueueData]:
    return [
        job._replace(job_id=job.job_id or job_id, meta={**(job.meta or {}), BATCH_KEY: batch_id})
        for job, job_id in zip(jobs, job_ids(batch_id, part), strict=False)
    ]


def _batch_of(job: Job) -> str | None:
    return job.meta.get(BATCH_KEY)
