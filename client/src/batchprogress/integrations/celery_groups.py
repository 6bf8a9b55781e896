"""Which tasks a batch has, kept in Celery's result backend: what a reconciler asks there.

    run   a GroupResult under the batch's id: all there will be
    add   Redis    the set batchprogress:jobs:<batch_id>, as RQ's
          others   a GroupResult under the batch's id, without tasks, then one for each part

Parts are added at the same time, by programs and by tasks. So no list is read and written again, which would
lose what another adds: Redis has a set, and elsewhere each part is a row of its own. There the group without
tasks comes first, and expires first: for as long as it is there no part is missing.
"""

import uuid
from collections.abc import Sequence

from celery import Celery
from celery.backends.redis import RedisBackend
from celery.result import GroupResult

from batchprogress.integrations.job_ids import JOB_IDS_KEY_PREFIX, JOB_IDS_SECONDS


def save_all(app: Celery, batch_id: str, task_ids: Sequence[str]) -> None:
    """Save the tasks of a batch that gets no more.

    Raises:
        NotImplementedError: the backend keeps no groups.
        Exception: whatever the backend raises when it is away.

    """
    _save_once(app, batch_id, task_ids)


def save_part(app: Celery, batch_id: str, part: str, task_ids: Sequence[str]) -> None:
    """Save the tasks of a part of a batch; raises as `save_all`."""
    if isinstance(app.backend, RedisBackend):
        _add_to_set(app.backend, f"{JOB_IDS_KEY_PREFIX}{batch_id}", task_ids)
    else:
        _save_once(app, batch_id, ())
        _save_once(app, group_id_of_part(batch_id, part), task_ids)


def group_id_of_part(batch_id: str, part: str) -> str:
    """Return the id of a part's group: with a space no batch's, and within Celery's 155 characters."""
    return f"{batch_id} {uuid.uuid5(uuid.NAMESPACE_URL, part).hex[:16]}"


def _save_once(app: Celery, group_id: str, task_ids: Sequence[str]) -> None:
    """Save a group, unless a call that is made again finds it: in a database it cannot be saved twice."""
    if app.backend.restore_group(group_id, cache=False) is None:
        GroupResult(group_id, [app.AsyncResult(task_id) for task_id in task_ids]).save(app.backend)


def _add_to_set(backend: RedisBackend, key: str, task_ids: Sequence[str]) -> None:
    if task_ids:
        with backend.client.pipeline() as pipeline:
            pipeline.sadd(key, *task_ids)
            pipeline.expire(key, JOB_IDS_SECONDS)
            pipeline.execute()
