"""Celery: its signals report, and a canvas becomes a batch in one call.

    pool process   task_success, task_failure, task_retry, task_postrun ──▶ Reporter
    main process   task_failure (the pool process is lost, the time is up), task_revoked, task_unknown,
                   task_rejected ──▶ Relay, since it forks pool processes as long as it lives

A job is a task, its id the task's id, its attempt the number of its retries plus 1. A message that comes
twice (acks_late, a visibility timeout) is the same attempt, and so is counted once. A job is pending until
Celery runs it no more by itself; what waits for a job that did not succeed (the rest of its chain, the body
of its chord) never runs, and is skipped with it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

from celery import Celery, Signature, current_task, signals, states
from celery.app.task import Context
from celery.concurrency import get_implementation
from celery.exceptions import NotRegistered, Reject, TimeLimitExceeded

from batchprogress._reporting.report_methods import ReportMethods, message_of
from batchprogress.batches import Batches
from batchprogress.integrations import celery_groups
from batchprogress.integrations.celery_canvas import batch_of, tagged, tasks_after, tasks_of
from batchprogress.integrations.job_ids import BATCH_KEY, job_ids
from batchprogress.integrations.relay import Relay
from batchprogress.reporter import Reporter

REPLACED = "Replaced by new task"
"""What the Ignore says by which `Task.replace` ends a task whose id lives on in another."""

_log = logging.getLogger("batchprogress")


class CeleryProgress:
    """Reports the tasks of an app that belong to a batch, and makes batches of canvases.

        progress = CeleryProgress(app, Reporter("progress:50051"))   # where the app is made

        progress.run("sync-2026-11", group(sync_row.s(row) for row in rows))

    Tasks that tasks start themselves are not counted, unless `add` publishes them. What a signal's receiver
    raises Celery only logs, so that a strict reporter fails no task either.
    """

    def __init__(self, app: Celery, reporter: Reporter, *, report_retries: bool = False) -> None:
        """Connect to the signals, for the life of the process.

        Args:
            app: the app whose canvases become batches.
            reporter: what tasks are reported with; it names no batch, and has reported nothing yet.
            report_retries: report an attempt that Celery will retry as failed, for the next one to take its
                place: failures are seen early, but a batch whose last jobs wait for a retry has COMPLETED.

        """
        self.batches = Batches.of(reporter.connection, strict=reporter.strict)
        self._app = app
        self._reporter = reporter
        self._relay = Relay(reporter)
        self._reports: ReportMethods = reporter
        self._report_retries = report_retries
        self._received: WeakValueDictionary[str, Any] = WeakValueDictionary()
        for signal, receiver in self._receivers().items():
            signal.connect(receiver, weak=False)

    def run(
        self,
        batch_id: str,
        canvas: Signature,
        *,
        display_name: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> Any:
        """Create a sealed batch of all tasks of a group, a chord, a chain or a task, and publish it.

        A program that was killed in here calls it again with the same: the batch is the same, and so are the
        tasks' ids. With a result backend it also saves the tasks as a GroupResult under the batch's id, which
        is what a reconciler asks for; a backend that is away only leaves it without.

        Raises:
            BatchNotChanged: only if the reporter is strict, and then nothing is published.

        """
        jobs = tagged(canvas, batch_id, job_ids(batch_id))
        task_ids = [task.options["task_id"] for task in tasks_of(jobs)]
        self.batches.create(batch_id, len(task_ids), display_name=display_name, labels=labels)
        self._save_all(batch_id, task_ids)
        return jobs.apply_async()

    def add(self, batch_id: str, canvas: Signature, *, part: str) -> Any:
        """Add the tasks of a canvas to an unsealed batch, and publish them.

        `part` names them within the batch, for a call that is made again. In Redis or a database as result
        backend the tasks' ids are saved beside those of other parts, for the reconciler.

        Raises:
            BatchNotChanged: only if the reporter is strict, and then nothing is published; for the
                reconciler the tasks are pending until the call is made again.
            Exception: what the result backend raises that does not save the ids. Then nothing is counted or
                published.

        """
        jobs = tagged(canvas, batch_id, job_ids(batch_id, part))
        task_ids = [task.options["task_id"] for task in tasks_of(jobs)]
        # Before they are counted: whose list is shorter than the batch would end it without what is missing.
        celery_groups.save_part(self._app, batch_id, part, task_ids)
        self.batches.add_jobs(batch_id, len(task_ids), part)
        return jobs.apply_async()

    def _save_all(self, batch_id: str, task_ids: Sequence[str]) -> None:
        """Save ids before a task can run; without them the reconciler leaves the batch, and no job fails."""
        try:
            celery_groups.save_all(self._app, batch_id, task_ids)
        except Exception as error:
            if self._reporter.strict:
                raise
            _log.warning("batch %s is not known to the reconciler: %s", batch_id, message_of(error))

    def _receivers(self) -> dict[Any, Callable[..., None]]:
        return {
            signals.before_task_publish: self._publishing,
            signals.task_received: self._task_received,
            signals.task_success: self._succeeded,
            signals.task_failure: self._failed,
            signals.task_retry: self._retried,
            signals.task_postrun: self._ended,
            signals.task_revoked: self._revoked,
            signals.task_unknown: self._unknown,
            signals.task_rejected: self._rejected,
            signals.celeryd_after_setup: self._worker_begins,
            signals.worker_process_init: self._process_begins,
            signals.worker_process_shutdown: self._process_ends,
            signals.worker_shutdown: self._worker_ends,
        }

    def _publishing(self, headers: dict[str, Any], **_: object) -> None:
        """Let a task that replaces the one that publishes it, under the same id, stay in its batch."""
        request = current_task.request if current_task else None
        if request and headers.get("id") == request.id and (batch_id := batch_of(request)):
            headers.setdefault(BATCH_KEY, batch_id)

    def _task_received(self, request: Any, **_: object) -> None:
        """Remember what the main process has, for signals that tell only an id; Celery lets go of it."""
        if BATCH_KEY in request.request_dict:
            self._received[request.id] = request

    def _succeeded(self, sender: Any, **_: object) -> None:
        request = sender.request
        if batch_id := batch_of(request):
            self._reports.succeeded(request.id, batch_id=batch_id, attempt=request.retries + 1)

    def _failed(self, sender: Any, task_id: str, exception: BaseException, **_: object) -> None:
        is_requeued = (
            isinstance(exception, TimeLimitExceeded) and sender.acks_late and not sender.acks_on_timeout
        )
        if isinstance(exception, Reject) or is_requeued:  # said by the pool process; delivered again
            return
        request = sender.request
        if request.id != task_id and (received := self._received.get(task_id)):
            request = received._context  # noqa: SLF001  # what Celery's own hooks get in the main process
        if request.id == task_id:
            self._report_failed(request, exception)

    def _retried(self, request: Context, reason: Any = None, **_: object) -> None:
        batch_id = batch_of(request)
        if self._report_retries and batch_id and reason is not None:  # else it is only delivered again
            error = reason.exc if isinstance(reason.exc, BaseException) else str(reason)
            self._reports.failed(request.id, error, batch_id=batch_id, attempt=request.retries + 1)

    def _ended(self, task: Any, state: str, retval: Any, **_: object) -> None:
        """Report what ends without a signal of its own: Ignore, and Reject unless it is delivered again."""
        is_ignored = state == states.IGNORED and str(retval) != REPLACED
        if is_ignored or (state == states.REJECTED and not retval.requeue):
            self._report_skipped(task.request)

    def _revoked(self, request: Context, **_: object) -> None:
        self._report_skipped(request)

    def _unknown(self, message: Any, name: str, **_: object) -> None:
        self._report_failed(Context(message.headers, **message.payload[2]), NotRegistered(name))

    def _rejected(self, message: Any, **_: object) -> None:
        self._report_skipped(Context(message.headers))

    def _report_failed(self, request: Context, error: BaseException) -> None:
        if batch_id := batch_of(request):
            self._reports.failed(request.id, error, batch_id=batch_id, attempt=request.retries + 1)
        self._skip_after(request)

    def _report_skipped(self, request: Context) -> None:
        if batch_id := batch_of(request):
            self._reports.skipped(request.id, batch_id=batch_id, attempt=request.retries + 1)
        self._skip_after(request)

    def _skip_after(self, request: Context) -> None:
        for batch_id, task_id in tasks_after(request):
            self._reports.skipped(task_id, batch_id=batch_id)

    def _worker_begins(self, instance: Any, **_: object) -> None:
        """In the main process: a pool that forks needs the relay, any other runs its tasks here."""
        if issubclass(instance.pool_cls, get_implementation("prefork")):
            self._reports = self._relay
            self._relay.start()
        else:
            self._reporter.start()

    def _process_begins(self, **_: object) -> None:
        self._relay.detach()
        self._reports = self._reporter
        self._reporter.start()

    def _process_ends(self, **_: object) -> None:
        """Flush; the process ends by os._exit."""
        self._reporter.close()

    def _worker_ends(self, **_: object) -> None:
        self._relay.close()
