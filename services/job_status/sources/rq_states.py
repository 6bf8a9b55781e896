"""Interprets what RQ stores about a job, without I/O. `rq` documents the states."""

import zlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence

from batches.result import ATTEMPT_MAX, ERROR_MESSAGE_CHARACTERS_MAX, JobOutcome
from services.job_status.source import JobStatus
from services.job_status.sources.unreadable import Unreadable

FIELDS = ("status", "batchprogress_attempts", "number_of_retries", "result_ttl", "failure_ttl", "ttl")
"""The fields of a job's hash that are read; never its data, result or meta, which are pickles.

Our own client writes the second one: how many times a worker has started the job.
"""
Fields = Sequence[bytes | None]
"""The values of FIELDS. All are None if RQ has deleted the job."""

DESCRIPTION_BYTES_MAX = 4 * 1024
"""A longer description holds long arguments, which are not shown; it is not read."""
FAILED = b"failed"
FOREVER = b"-1"
TRACEBACK_BYTES_MAX = 1024 * 1024
"""Far more than any traceback. Without a limit, a small compressed text could expand to gigabytes."""

OUTCOMES: dict[bytes, JobOutcome | None] = {
    b"created": None,
    b"queued": None,
    b"started": None,
    b"deferred": None,
    b"scheduled": None,
    b"rate_limited": None,
    b"ready_to_enqueue": None,
    b"finished": JobOutcome.SUCCEEDED,
    FAILED: JobOutcome.FAILED,
    b"stopped": JobOutcome.SKIPPED,
    b"canceled": JobOutcome.SKIPPED,
}


def status_of(job_id: str, fields: Fields | None) -> JobStatus:
    """Return a job, without its error and its name.

    Args:
        job_id: RQ's id.
        fields: the values of FIELDS; None if the job's key holds another type of value.

    Raises:
        Unreadable: the status is unknown, or a number of attempts is not a number.

    """
    if fields is None:
        raise Unreadable("its key in Redis holds another type of value")
    status, started, retries = fields[:3]
    if status is None:
        return JobStatus(job_id, None)
    if status not in OUTCOMES:
        raise Unreadable("its status is unknown to RQ")
    return JobStatus(job_id, OUTCOMES[status], _parse_int(started) or 1 + _parse_int(retries))


def name_of(description: bytes | None) -> str:
    """Return the name of a job's function: its description without the arguments, which may be personal."""
    return (description or b"").decode(errors="replace").partition("(")[0].strip()


def may_be_deleted(fields: Fields) -> bool:
    """Return whether RQ has deleted a job or will delete it, as it does by default."""
    status, _, _, result_ttl, failure_ttl, ttl = fields
    return status is None or result_ttl != FOREVER or failure_ttl not in (None, FOREVER) or ttl is not None


def _parse_int(text: bytes | None) -> int:
    try:
        number = int(text or 0)
    except ValueError:
        number = -1
    if not 0 <= number < ATTEMPT_MAX:
        raise Unreadable("its number of attempts is not a number from 0 to 2,147,483,646")
    return number


def parse_error(compressed_traceback: bytes | None) -> tuple[str, str]:
    """Return the error type and message in the last line of a traceback, empty if there is none."""
    lines = _decompress(compressed_traceback or b"").rstrip().splitlines()
    if not lines:
        return "", ""
    error_type, _, message = lines[-1].partition(": ")
    # Without the module, which only takes space in a table of errors.
    return error_type.rsplit(".", 1)[-1], message[:ERROR_MESSAGE_CHARACTERS_MAX]


def _decompress(compressed: bytes) -> str:
    try:
        text = zlib.decompressobj().decompress(b64decode(compressed), TRACEBACK_BYTES_MAX)
    except (zlib.error, Base64Error):
        return ""
    return text.decode(errors="replace")
