"""Keeps the batch of a task that replaces itself: the task that ends for it has its id, but not its headers.

    self.replace(one task)   that task, which is published at once
    self.replace(a chain)    its last task, which is in the message of the first one
    self.replace(a group)    the task that gathers the results, which is in the messages of the group's tasks

The other tasks of the chain or the group belong to no batch. If one of them fails, so has the replaced task.
"""

from typing import Any

from celery.app.task import Context

from batchprogress.integrations.celery_canvas import attempt_of, batch_of, enqueued_time_of, tasks_after
from batchprogress.integrations.job_ids import ATTEMPTS_BEFORE_KEY, BATCH_KEY, ENQUEUED_KEY

NESTING_KEY = "replaced_task_nesting"
"""Celery's header that counts how often a task and those before it were replaced."""
REPLACED = "Replaced by new task"
"""The message of the Ignore with which `Task.replace` ends a task."""


def is_replaced(ignored: object) -> bool:
    """Return whether a task ended with this Ignore because another task continues with its id."""
    return str(ignored) == REPLACED


def keep_batch(request: Context, headers: dict[str, Any], body: Any) -> None:
    """Give the batch of a running task to the task that ends for it, if it publishes one.

    Args:
        request: the running task, which belongs to a batch.
        headers: the headers of the task that it publishes.
        body: the content of that task's message.

    """
    own = {
        BATCH_KEY: batch_of(request),
        ENQUEUED_KEY: enqueued_time_of(request),
        ATTEMPTS_BEFORE_KEY: attempt_of(request),
    }
    if headers.get("id") == request.id:
        if BATCH_KEY not in headers:  # a retry has the headers of the task already
            headers.update(own)
    elif headers.get(NESTING_KEY, 0) > request.get(NESTING_KEY, 0):
        *_, after = body
        for task in tasks_after(after.get("chain"), after.get("chord")):
            if task.options.get("task_id") == request.id:
                task.options["headers"] = {**(task.options.get("headers") or {}), **own}
