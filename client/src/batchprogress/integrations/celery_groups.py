"""Which tasks a batch has, kept in Celery's result backend: what a reconciler asks there.

run   a GroupResult under the batch's id: all there will be; in a database more than one row
add   Redis      the set batchprogress:jobs:<batch_id>, as RQ's
database   rows of their own (see celery_tables)
others     nothing: no source of ours reads them
"""

from collections.abc import Sequence
from contextlib import suppress

from celery import Celery
from celery.backends.base import DisabledBackend
from celery.backends.redis import RedisBackend
from celery.result import GroupResult

from batchprogress.integrations.celery_tables import GroupTable
from batchprogress.integrations.job_ids import JOB_IDS_KEY_PREFIX, JOB_IDS_SECONDS


def save_all(app: Celery, batch_id: str, task_ids: Sequence[str]) -> None:
    """Save the tasks of a batch that gets no more, if the backend keeps groups.

    Raises:
        Exception: whatever the backend raises when it is away; nothing is saved.

    """
    if _is_database(app):
        GroupTable(app).save_all(batch_id, task_ids)
    elif not isinstance(app.backend, DisabledBackend):
        with suppress(NotImplementedError):  # results that go to the caller alone (rpc://)
            GroupResult(batch_id, [app.AsyncResult(task_id) for task_id in task_ids]).save(app.backend)


def save_part(app: Celery, batch_id: str, part: str, task_ids: Sequence[str]) -> None:
    """Save the tasks of a part of a batch; raises as `save_all`."""
    if _is_database(app):
        GroupTable(app).save_part(batch_id, part, task_ids)
    elif isinstance(app.backend, RedisBackend):
        _add_to_set(app.backend, f"{JOB_IDS_KEY_PREFIX}{batch_id}", task_ids)


def _is_database(app: Celery) -> bool:
    """Tell by the table, since the class can only be imported where SQLAlchemy is installed."""
    return hasattr(app.backend, "taskset_cls")


def _add_to_set(backend: RedisBackend, key: str, task_ids: Sequence[str]) -> None:
    if task_ids:
        with backend.client.pipeline() as pipeline:
            pipeline.sadd(key, *task_ids)
            pipeline.expire(key, JOB_IDS_SECONDS)
            pipeline.execute()
