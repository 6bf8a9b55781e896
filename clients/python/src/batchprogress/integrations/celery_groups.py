"""Saves which tasks a batch has in Celery's result backend, where the reconciler's source reads them.

run   a GroupResult with the id of the batch; in a database one row or more (see celery_tables)
add   in Redis the set batchprogress:jobs:<batch_id>, as for RQ; in a database rows for each part; in other
      backends nothing, since no source reads them
"""

from collections.abc import Sequence
from contextlib import suppress

from celery import Celery
from celery.backends.base import DisabledBackend
from celery.backends.redis import RedisBackend
from celery.result import GroupResult

from batchprogress.integrations.celery_tables import GroupTable
from batchprogress.integrations.job_ids import keep_job_ids


def save_all(app: Celery, batch_id: str, task_ids: Sequence[str]) -> None:
    """Save the tasks of a sealed batch, if the backend keeps groups.

    Raises:
        Exception: raised by an unavailable backend; nothing is saved.

    """
    if is_database(app):
        GroupTable(app).save_all(batch_id, task_ids)
    elif not isinstance(app.backend, DisabledBackend):
        with suppress(NotImplementedError):  # rpc:// sends results to the caller only
            GroupResult(batch_id, [app.AsyncResult(task_id) for task_id in task_ids]).save(app.backend)


def save_part(app: Celery, batch_id: str, part: str, task_ids: Sequence[str]) -> None:
    """Save the tasks of a part of a batch.

    Raises:
        Exception: raised by an unavailable backend; nothing is saved.

    """
    if is_database(app):
        GroupTable(app).save_part(batch_id, part, task_ids)
    elif isinstance(app.backend, RedisBackend):
        keep_job_ids(app.backend.client, batch_id, task_ids)


def is_database(app: Celery) -> bool:
    """Recognise the backend by its table: its class cannot be imported without SQLAlchemy."""
    return hasattr(app.backend, "taskset_cls")
