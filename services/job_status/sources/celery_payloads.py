"""Interprets a task's result as Celery stores it in Redis, without I/O. It may be of any size.

Only the beginning of a result is read, and the ending of one that is longer. Celery writes the state first,
then the return value or the error, and at the end, with `result_extended`, the name and the retries:

    {"status": "SUCCESS", "result": …, "traceback": …, "children": …, "date_done": …, "name": …, "args": …,
     "kwargs": …, "worker": …, "retries": 0, "queue": …, "task_id": …}

So the outcome of a task is known whatever it returned, unless a long result is compressed by bzip2, whose
blocks of 900 KB cannot be read in part. The name of a task with a long result is not known, and neither are
its retries if that result is compressed.
"""

import re

from celery.backends.base import COMPRESSED_PAYLOAD_MAGIC

from services.job_status.source import JobStatus
from services.job_status.sources.celery_states import parse_result, status_of
from services.job_status.sources.cut_json import parse_cut_json
from services.job_status.sources.decompression import decompress_prefix
from services.job_status.sources.unreadable import Unreadable

PREFIX_BYTES = 32 * 1024
"""An error of the longest message that is reported, 2,000 characters, takes 24 KB at most."""
ENDING_BYTES = 4 * 1024
"""What follows the arguments of a task: a few hundred bytes, and the stamps of an application."""

_RETRIES = b'"retries": '
_AFTER_RESULT = b'"date_done": '
_NUMBER = re.compile(rb"\d{1,10}")


def needs_ending(prefix: bytes) -> bool:
    """Return whether the ending of a result must be read, too: its first PREFIX_BYTES + 1 bytes are given."""
    return len(prefix) > PREFIX_BYTES and not prefix.startswith(COMPRESSED_PAYLOAD_MAGIC)


def status_of_payload(task_id: str, prefix: bytes, ending: bytes) -> JobStatus:
    """Return the job of a task.

    Args:
        task_id: the id of the task.
        prefix: the first PREFIX_BYTES + 1 bytes of its result; empty if there is none.
        ending: the last ENDING_BYTES of its result if it is longer and `needs_ending`.

    Raises:
        Unreadable: it is not what Celery stores.

    """
    if not prefix:
        return JobStatus(task_id, None)
    text = _decompressed(prefix)
    if max(len(prefix), len(text)) <= PREFIX_BYTES:
        return _status_of_members(task_id, parse_result(text))
    members = parse_cut_json(text[:PREFIX_BYTES].decode(errors="replace"))
    if not isinstance(members, dict) or "status" not in members:
        raise Unreadable("its result is too long to be read")
    return _status_of_members(task_id, {**members, "retries": _retries_in(ending)})


def decompressed_group(payload: bytes, size: int) -> bytes:
    """Return at most so many bytes of a saved group; raises Unreadable."""
    return _decompressed(payload, size)


def _decompressed(payload: bytes, size: int = PREFIX_BYTES + 1) -> bytes:
    if not payload.startswith(COMPRESSED_PAYLOAD_MAGIC):
        return payload
    content_type, _, body = payload.removeprefix(COMPRESSED_PAYLOAD_MAGIC).partition(b"\x00")
    return decompress_prefix(content_type, body, size)


def _status_of_members(task_id: str, members: object) -> JobStatus:
    match members:
        case {"status": state, **rest}:
            error = rest.get("result")
            return status_of(task_id, state, error=error, retries=rest.get("retries"), name=rest.get("name"))
        case _:
            raise Unreadable("its result is not in the format of Celery")


def _retries_in(ending: bytes) -> int | None:
    """Return the retries at the end of a long result.

    Arguments or a return value may have a member of that name, too; that of the task is the last one, and the
    return value comes before the date.
    """
    _, found, rest = ending.rpartition(_RETRIES)
    number = _NUMBER.match(rest)
    return int(number[0]) if found and number and _AFTER_RESULT not in rest else None
