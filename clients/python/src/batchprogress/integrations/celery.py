"""Celery: reports tasks through Celery's signals, and creates a batch from a canvas in one call.

    pool process   task_success, task_failure, task_retry, task_postrun ──▶ Reporter
    main process   task_failure (pool process lost, time limit), task_revoked, task_unknown, task_rejected
                   ──▶ Relay, since it forks pool processes as long as it lives

A job is a task; its id is the id of the task, and its attempt is the number of retries plus 1. A message that
is delivered twice (acks_late, a visibility timeout) is the same attempt, so it is counted once. A job is
pending until Celery will not run it again by itself. The tasks that depend on a task without success (the
rest of its chain, the body of its chord) never run; they are skipped with it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

from celery import Celery, Signature, current_task, signals, states
from celery.app.task import Context
from celery.concurrency import get_implementation
from celery.exceptions import NotRegistered, Reject, TimeLimitExceeded

from batchprogress._grpc.error_text import message_of
from batchprogress._reporting.report_methods import ReportMethods
from batchprogress.integrations import celery_groups
from batchprogress.integrations.best_effort import BestEffortClient
from batchprogress.integrations.celery_callbacks import keep_callback
from batchprogress.integrations.celery_cancelled import refuse_cancelled
from batchprogress.integrations.celery_canvas import (
    batch_jobs,
    batch_of,
    dependents_of,
    enqueued_time_of,
    name_of,
)
from batchprogress.integrations.celery_webhooks import WebhookReceiver
from batchprogress.integrations.job_ids import BATCH_KEY, ENQUEUED_KEY
from batchprogress.integrations.relay import Relay
from batchprogress.reporter import Reporter

__all__ = ["CeleryProgress", "WebhookReceiver"]

REPLACED = "Replaced by new task"
"""The message of the Ignore with which `Task.replace` ends a task; another task continues with its id."""

_log = logging.getLogger("batchprogress")


class CeleryProgress:
    """Reports the tasks of an app that belong to a batch, and creates batches from canvases.

        progress = CeleryProgress(app, Reporter("progress:50051"))   # where the app is made

        progress.run("sync-2026-11", group(sync_row.s(row) for row in rows))

    It connects to Celery's signals for the life of the process. Tasks that are published by other tasks are
    not counted, unless `add` publishes them. Celery only logs exceptions of signal receivers, so even a
    strict reporter fails no task.

    Args:
        app: the app whose canvases become batches.
        reporter: reports the tasks. It names no batch and has reported nothing yet.
        report_retries: report an attempt that Celery will retry as failed until the next attempt replaces it.
            Failures show early, but a batch whose last jobs wait for a retry is already completed.
        skip_cancelled: do not start the tasks of a batch that is known to be cancelled. They become REVOKED
            and are reported as skipped.
        describe_arguments: report the arguments of a task with its name. They may be personal data, which
            everybody then sees who may read the batch.

    """

    def __init__(
        self,
        app: Celery,
        reporter: Reporter,
        *,
        report_retries: bool = False,
        skip_cancelled: bool = False,
        describe_arguments: bool = False,
    ) -> None:
        self.batches = BestEffortClient(reporter.connection, strict=reporter.strict)
        self._app = app
        self.reporter = reporter
        self._relay = Relay(reporter)
        self._reports: ReportMethods = reporter
        self._report_retries = report_retries
        self._skip_cancelled = skip_cancelled
        self._describe_arguments = describe_arguments
        self._received: WeakValueDictionary[str, Any] = WeakValueDictionary()
        for signal, receiver in self._receivers().items():
            signal.connect(receiver, weak=False)

    def run(  # noqa: PLR0913  # options, by keyword only
        self,
        batch_id: str,
        canvas: Signature,
        *,
        display_name: str = "",
        labels: Mapping[str, str] | None = None,
        max_failed_jobs: int | None = None,
        max_failed_percent: int | None = None,
        on_completed: Signature | None = None,
    ) -> Any:
        """Create a sealed batch of all tasks of a canvas, and publish it.

        A program that was killed meanwhile may repeat the call: batch and task ids are the same. If the app
        has a result backend, the tasks are also saved there as a GroupResult with the id of the batch, for
        the reconciler; if that fails, the canvas is published without.

        Args:
            batch_id: the new batch.
            canvas: a group, a chord, a chain, chunks or a task.
            display_name: a name for people.
            labels: labels to find batches by.
            max_failed_jobs: how many jobs may fail: one more cancels the batch.
            max_failed_percent: instead, which share of the jobs may fail, 0 to 99.
            on_completed: the task that a WebhookReceiver sends when the batch has completed. The result
                backend keeps it.

        Returns:
            What `canvas.apply_async()` returns.

        Raises:
            ValueError: the canvas has no tasks, or the result backend cannot keep on_completed; nothing is
                created or published.
            Exception: raised by a result backend that is unavailable for on_completed; nothing is created or
                published.
            BatchEnded: the batch exists and has ended; then nothing is published.
            CallFailed: only if the reporter is strict; then nothing is published.

        """
        jobs, task_ids = batch_jobs(canvas, batch_id)
        if on_completed is not None and not self.reporter.disabled:
            keep_callback(self._app, batch_id, on_completed)
        self.batches.create(
            batch_id,
            len(task_ids),
            display_name=display_name,
            labels=labels,
            if_ended="error",
            max_failed_jobs=max_failed_jobs,
            max_failed_percent=max_failed_percent,
        )
        self._save_all(batch_id, task_ids)
        return jobs.apply_async()

    def add(self, batch_id: str, canvas: Signature, *, part: str) -> Any:
        """Add the tasks of a canvas to an unsealed batch, and publish them.

        If the result backend is Redis or a database, the ids of the tasks are saved there for the reconciler.

        Args:
            batch_id: the batch.
            canvas: a group, a chord, a chain, chunks or a task.
            part: a name within the batch: a repeated call with the same name adds nothing.

        Returns:
            What `canvas.apply_async()` returns.

        Raises:
            ValueError: the canvas has no tasks; nothing is counted or published.
            CallFailed: only if the reporter is strict; then nothing is published, and for the reconciler the
                tasks are pending until the call is repeated.
            Exception: raised by a result backend that cannot save the ids; then nothing is counted or
                published.

        """
        jobs, task_ids = batch_jobs(canvas, batch_id, part)
        # First: a list shorter than the batch would make the reconciler end it without the missing tasks.
        if not self.reporter.disabled:
            celery_groups.save_part(self._app, batch_id, part, task_ids)
        self.batches.add_jobs(batch_id, len(task_ids), part)
        return jobs.apply_async()

    def _save_all(self, batch_id: str, task_ids: Sequence[str]) -> None:
        """Save the ids before a task can run. Without them the reconciler leaves the batch alone."""
        if self.reporter.disabled:
            return
        try:
            celery_groups.save_all(self._app, batch_id, task_ids)
        except Exception as error:
            if self.reporter.strict:
                raise
            _log.warning("the reconciler cannot repair batch %s: %s", batch_id, message_of(error))

    def _receivers(self) -> dict[Any, Callable[..., None]]:
        return {
            signals.before_task_publish: self._on_publish,
            signals.task_received: self._on_received,
            signals.task_success: self._on_success,
            signals.task_failure: self._on_failure,
            signals.task_retry: self._on_retry,
            signals.task_postrun: self._on_end,
            signals.task_revoked: self._on_revoked,
            signals.task_unknown: self._on_unknown,
            signals.task_rejected: self._on_rejected,
            signals.celeryd_after_setup: self._on_worker_start,
            signals.worker_process_init: self._on_process_start,
            signals.worker_process_shutdown: self._on_process_end,
            signals.worker_shutdown: self._on_worker_end,
        }

    def _on_publish(self, headers: dict[str, Any], **_: object) -> None:
        """Keep the batch when a task publishes the task that replaces it, which has its id."""
        request = current_task.request if current_task else None
        if request and headers.get("id") == request.id and (batch_id := batch_of(request)):
            headers.setdefault(BATCH_KEY, batch_id)
            headers.setdefault(ENQUEUED_KEY, enqueued_time_of(request))

    def _on_received(self, request: Any, **_: object) -> None:
        """Remember the request, for signals in the main process that name only a task id."""
        if BATCH_KEY in request.request_dict:
            self._received[request.id] = request

    def _on_success(self, sender: Any, **_: object) -> None:
        request = sender.request
        if batch_id := batch_of(request):
            self._reports.succeeded(request.id, batch_id=batch_id, **self._described(request))

    def _on_failure(self, sender: Any, task_id: str, exception: BaseException, **_: object) -> None:
        is_requeued = (
            isinstance(exception, TimeLimitExceeded) and sender.acks_late and not sender.acks_on_timeout
        )
        if isinstance(exception, Reject) or is_requeued:  # Reject comes here too, and ends in _on_end
            return
        request = sender.request
        if request.id != task_id and (received := self._received.get(task_id)):
            request = received._context  # noqa: SLF001  # what Celery's own hooks get in the main process
        if request.id == task_id:
            self._report_failed(request, exception)

    def _on_retry(self, request: Context, reason: Any = None, **_: object) -> None:
        batch_id = batch_of(request)
        if self._report_retries and batch_id and reason is not None:  # without a reason it is only requeued
            error = reason.exc if isinstance(reason.exc, BaseException) else str(reason)
            self._reports.failed(request.id, error, batch_id=batch_id, **self._described(request))

    def _on_end(self, task: Any, state: str, retval: Any, **_: object) -> None:
        """Report the ends without a signal of their own: Ignore, and Reject unless the task is requeued."""
        is_ignored = state == states.IGNORED and str(retval) != REPLACED
        if is_ignored or (state == states.REJECTED and not retval.requeue):
            self._report_skipped(task.request)

    def _on_revoked(self, request: Context, **_: object) -> None:
        self._report_skipped(request)

    def _on_unknown(self, message: Any, name: str, **_: object) -> None:
        self._report_failed(Context(message.headers, **message.payload[2]), NotRegistered(name))

    def _on_rejected(self, message: Any, **_: object) -> None:
        self._report_skipped(Context(message.headers))

    def _on_worker_start(self, instance: Any, **_: object) -> None:
        """Start the relay in the main process of a pool that forks; other pools run their tasks here."""
        if self._skip_cancelled:
            refuse_cancelled(self._app, self.reporter.cancelled_batches)
        if issubclass(instance.pool_cls, get_implementation("prefork")):
            self._reports = self._relay
            self._relay.start()
        else:
            self.reporter.start()

    def _on_process_start(self, **_: object) -> None:
        self._relay.detach()
        self._reports = self.reporter
        self.reporter.start()

    def _on_process_end(self, **_: object) -> None:
        """Flush: a pool process ends with os._exit."""
        self.reporter.close()

    def _on_worker_end(self, **_: object) -> None:
        self._relay.close()

    def _report_failed(self, request: Context, error: BaseException) -> None:
        if batch_id := batch_of(request):
            self._reports.failed(request.id, error, batch_id=batch_id, **self._described(request))
        self._skip_dependents(request)

    def _report_skipped(self, request: Context) -> None:
        if batch_id := batch_of(request):
            self._reports.skipped(request.id, batch_id=batch_id, **self._described(request))
        self._skip_dependents(request)

    def _skip_dependents(self, request: Context) -> None:
        for batch_id, task_id, name in dependents_of(request):
            self._reports.skipped(task_id, batch_id=batch_id, display_name=name)

    def _described(self, request: Context) -> dict[str, Any]:
        """Return the fields of every report of a task."""
        name = name_of(request, with_arguments=self._describe_arguments)
        return {"attempt": request.retries + 1, "display_name": name}
