"""Ends the tasks of a cancelled batch before they start.

    main process   Request.revoked of the task's class, before the pool gets the task
    pool process   before_start of the task's class, just before the task

No signal of Celery can refuse a task. `before_start` can, since Celery handles the Ignore that it raises, but
like every exception that takes Celery 12 ms. So the main process asks first, which takes a tenth of that; the
pool process asks again, because its queue holds tasks that were sent before the answer came.
The task becomes REVOKED, as if `app.control.revoke` had named it: who waits for its result or for its chord
goes on.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.app.task import Context
from celery.exceptions import Ignore
from celery.utils.imports import symbol_by_name

from batchprogress._grpc.error_text import message_of
from batchprogress._reporting.cancelled_batches import CancelledBatches
from batchprogress.integrations.celery_canvas import batch_of, enqueued_time_of

REASON = "batch cancelled"
"""What Celery keeps as the reason why the task was revoked."""

_log = logging.getLogger("batchprogress")


def refuse_cancelled(app: Celery, batches: CancelledBatches) -> None:
    """Check each task of an app before it starts; call it before the pool starts."""
    for kind in {type(task) for task in app.tasks.values()}:
        kind.before_start = _checking(kind.before_start, batches)
        kind.Request = _refusing(symbol_by_name(kind.Request), batches)


def is_cancelled(request: Context, batches: CancelledBatches) -> bool:
    """Whether a task belongs to a cancelled batch."""
    batch_id = batch_of(request)
    return batch_id is not None and batches.has(batch_id, enqueued_time_of(request))


def _checking(before_start: Callable[..., None], batches: CancelledBatches) -> Callable[..., None]:
    """Return a hook that calls the task's own one, unless the task must not start."""

    @functools.wraps(before_start)
    def check(task: Any, *args: Any, **kwargs: Any) -> None:
        if is_cancelled(task.request, batches):
            _revoke(task)
            raise Ignore(REASON)
        before_start(task, *args, **kwargs)

    return check


def _refusing(base: Any, batches: CancelledBatches) -> Any:
    """Return a class of requests that are also revoked if their batch is cancelled."""

    class Refusing(base):  # type: ignore[misc]  # Celery has no types
        def revoked(self) -> bool:
            return _has_revoked(self, batches) or bool(super().revoked())

    return Refusing


def _has_revoked(request: Any, batches: CancelledBatches) -> bool:
    """Revoke a request if its batch is cancelled; return whether it was."""
    # Celery's own hooks, such as revoked() itself, have no public names for these either.
    if request._already_revoked or not is_cancelled(request._context, batches):  # noqa: SLF001
        return False
    try:
        request._announce_revoked(REASON, False, None, False)  # noqa: FBT003, SLF001
    except Exception as error:  # noqa: BLE001  # of a result backend; it would end the worker
        _log.warning("task %s was not revoked, only skipped: %s", request.id, message_of(error))
        return False
    return True


def _revoke(task: Any) -> None:
    request = task.request
    is_stored = not (request.ignore_result or task.ignore_result)
    try:
        task.backend.mark_as_revoked(request.id, REASON, request, store_result=is_stored)
    except Exception as error:  # noqa: BLE001  # of a result backend; the task is skipped all the same
        _log.warning("the state of skipped task %s was not saved: %s", request.id, message_of(error))
