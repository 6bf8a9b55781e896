"""Keeps the task that a batch sends when it has completed in Celery's result backend.

Redis          a key, kept for JOB_IDS_SECONDS
a database     a row of the table of groups, kept for JOB_IDS_SECONDS beyond `result_expires`
other backends that keep values by key    a key, kept for `result_expires`
"""

from uuid import NAMESPACE_URL, uuid5

from celery import Celery, Signature
from celery.backends.base import BaseKeyValueStoreBackend
from celery.backends.redis import RedisBackend

from batchprogress.integrations.celery_groups import is_database
from batchprogress.integrations.celery_tables import GroupTable
from batchprogress.integrations.job_ids import JOB_IDS_SECONDS

KEY_PREFIX = "batchprogress:on_completed:"


def keep_callback(app: Celery, batch_id: str, callback: Signature) -> None:
    """Keep the task of a batch; a repeated call replaces it.

    Raises:
        ValueError: the app's result backend keeps no values.
        Exception: raised by an unavailable backend; nothing is kept.

    """
    backend = app.backend
    if is_database(app):
        GroupTable(app).save_callback(batch_id, callback)
        return
    value = backend.encode(dict(callback))
    if isinstance(backend, RedisBackend):
        backend.client.set(KEY_PREFIX + batch_id, value, ex=JOB_IDS_SECONDS)
    elif isinstance(backend, BaseKeyValueStoreBackend):
        backend.set(KEY_PREFIX + batch_id, value)
    else:
        raise ValueError(  # noqa: TRY004  # the app is set up wrongly
            f"the app's result backend cannot keep on_completed of batch {batch_id!r}: nothing was created;"
            " set result_backend to redis://… or db+…"
        )


def callback_of(app: Celery, batch_id: str) -> Signature | None:
    """Return the task that was kept for a batch, or None.

    Raises:
        Exception: raised by an unavailable backend.

    """
    backend = app.backend
    if is_database(app):
        kept = GroupTable(app).callback_of(batch_id)
    else:
        value = backend.get(KEY_PREFIX + batch_id) if isinstance(backend, BaseKeyValueStoreBackend) else None
        kept = None if value is None else backend.decode(value)
    return None if kept is None else Signature.from_dict(kept, app=app)


def callback_id(batch_id: str) -> str:
    """Return the id of the task, the same for every delivery of the event."""
    return str(uuid5(NAMESPACE_URL, f"{KEY_PREFIX}{batch_id}"))
