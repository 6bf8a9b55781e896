"""Reports the tasks of Celery through its signals.

    pool process   task_success, task_failure, task_retry, task_postrun ──▶ Reporter
    main process   task_failure (pool process lost, time limit), task_revoked, task_unknown, task_rejected
                   ──▶ Relay, since it forks pool processes as long as it lives

A job is a task; its id is the id of the task, and its attempt is the number of retries plus 1. A message that
is delivered twice (acks_late, a visibility timeout) is the same attempt, so it is counted once. A job is
pending until Celery will not run it again by itself. The tasks that depend on a task without success (the
rest of its chain, the body of its chord) never run; they are skipped with it.
"""

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from celery import Celery, current_task, signals, states
from celery.app.task import Context
from celery.concurrency import get_implementation
from celery.exceptions import NotRegistered, Reject, TimeLimitExceeded

from batchprogress._reporting.report_methods import ReportMethods
from batchprogress.integrations.celery_cancelled import refuse_cancelled
from batchprogress.integrations.celery_canvas import attempt_of, batch_of, dependents_of, name_of
from batchprogress.integrations.celery_replaced import is_replaced, keep_batch
from batchprogress.integrations.job_ids import BATCH_KEY
from batchprogress.integrations.relay import Relay
from batchprogress.reporter import Reporter


class TaskReports:
    """Reports the tasks that belong to a batch, for the life of the process.

    CeleryProgress documents the arguments.
    """

    def __init__(
        self,
        app: Celery,
        reporter: Reporter,
        *,
        report_retries: bool,
        skip_cancelled: bool,
        describe_arguments: bool,
    ) -> None:
        self._app = app
        self._reporter = reporter
        self._relay = Relay(reporter)
        self._reports: ReportMethods = reporter
        self._report_retries = report_retries
        self._skip_cancelled = skip_cancelled
        self._describe_arguments = describe_arguments
        self._received: WeakValueDictionary[str, Any] = WeakValueDictionary()

    def connect(self) -> None:
        """Receive Celery's signals from now on."""
        for signal, receiver in self._receivers().items():
            signal.connect(receiver, weak=False)

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

    def _on_publish(self, headers: dict[str, Any], body: Any, **_: object) -> None:
        """Keep the batch when a task publishes what replaces it."""
        if current_task and batch_of(current_task.request):
            keep_batch(current_task.request, headers, body)

    def _on_received(self, request: Any, **_: object) -> None:
        """Remember the request, for signals in the main process that name only a task id."""
        if BATCH_KEY in request.request_dict:
            self._received[request.id] = request

    def _on_success(self, sender: Any, **_: object) -> None:
        request = sender.request
        if batch_id := batch_of(request):
            self._reports.succeeded(request.id, batch_id=batch_id, **self._described(request))

    def _on_failure(self, sender: Any, task_id: str, exception: BaseException, **_: object) -> None:
        is_requeued = isinstance(exception, TimeLimitExceeded) and requeues_on_timeout(sender)
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
        is_ignored = state == states.IGNORED and not is_replaced(retval)
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
            refuse_cancelled(self._app, self._reporter.cancelled_batches)
        if issubclass(instance.pool_cls, get_implementation("prefork")):
            self._reports = self._relay
            self._relay.start()
        else:
            self._reporter.start()

    def _on_process_start(self, **_: object) -> None:
        self._relay.detach()
        self._reports = self._reporter
        self._reporter.start()

    def _on_process_end(self, **_: object) -> None:
        """Flush: a pool process ends with os._exit."""
        self._reporter.close()

    def _on_worker_end(self, **_: object) -> None:
        self._relay.close()

    def _report_failed(self, request: Context, error: BaseException) -> None:
        if batch_id := batch_of(request):
            self._reports.failed(request.id, error, batch_id=batch_id, **self._described(request))
        self._report_dependents(request, error)

    def _report_skipped(self, request: Context) -> None:
        if batch_id := batch_of(request):
            self._reports.skipped(request.id, batch_id=batch_id, **self._described(request))
        self._report_dependents(request, None)

    def _report_dependents(self, request: Context, error: BaseException | None) -> None:
        """Report the tasks that will not run; one that was to end a replaced task has failed."""
        for one in dependents_of(request):
            fields: dict[str, Any] = {
                "batch_id": one.batch_id,
                "attempt": one.attempt,
                "display_name": one.name,
            }
            if error is not None and one.ends_replaced:
                self._reports.failed(one.task_id, error, **fields)
            else:
                self._reports.skipped(one.task_id, **fields)

    def _described(self, request: Context) -> dict[str, Any]:
        """Return the fields of every report of a task."""
        name = name_of(request, with_arguments=self._describe_arguments)
        return {"attempt": attempt_of(request), "display_name": name}


def requeues_on_timeout(task: Any) -> bool:
    """Return whether Celery puts a task back into its queue that has exceeded its time limit."""
    # Celery before 5.7 has only the setting for failures and timeouts together.
    is_acknowledged = getattr(task, "acks_on_timeout", task.acks_on_failure_or_timeout)
    return bool(task.acks_late) and not is_acknowledged
