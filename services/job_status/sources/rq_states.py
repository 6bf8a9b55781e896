"""Interprets what RQ stores about a job, without I/O. `rq` documents the states."""

import zlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence

from batches.result import ERROR_MESSAGE_CHARACTERS_MAX, JobOutcome
from services.job_status.source import JobStatus, QueueContradiction

FIELDS = ("status", "batchprogress_attempts", "number_of_retries", "result_ttl", "failure_ttl", "ttl")
"""The fields of a job's hash that are read; never its data, result or meta, which are pickles.

Our own client writes the second one: how many times a worker has started the job.
"""
Fields = Sequence[bytes | None]
"""The values of FIELDS. All are None if RQ has deleted the job."""

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


def status_of(job_id: str, fields: Fields, compressed_traceback: bytes | None) -> JobStatus:
    """Return a job.

    Args:
        job_id: RQ's id.
        fields: the values of FIELDS.
        compressed_traceback: the job's traceback as RQ stores it, if there is one.

    Raises:
        QueueContradiction: the status is unknown, or a number of attempts is not a number.

    """
    started, retries = fields[1:3]
    error_type, error_message = _parse_error(compressed_traceback)
    return JobStatus(
        job_id,
        outcome_of(fields),
        attempt=_parse_int(started) or 1 + _parse_int(retries),
        error_type=error_type,
        error_message=error_message,
    )


def may_be_deleted(fields: Fields) -> bool:
    """Return whether RQ has deleted a job or will delete it, as it does by default."""
    status, _, _, result_ttl, failure_ttl, ttl = fields
    return status is None or result_ttl != FOREVER or failure_ttl not in (None, FOREVER) or ttl is not None


def outcome_of(fields: Fields) -> JobOutcome | None:
    """Return the outcome of a job, None if it is pending or RQ has deleted it.

    Raises:
        QueueContradiction: the status is unknown.

    """
    status = fields[0]
    if status is None:
        return None
    if status not in OUTCOMES:
        raise QueueContradiction("a job's status is unknown to RQ")
    return OUTCOMES[status]


def _parse_int(text: bytes | None) -> int:
    try:
        return int(text or 0)
    except ValueError as error:
        raise QueueContradiction("a job's number of attempts is not a number") from error


def _parse_error(compressed_traceback: bytes | None) -> tuple[str, str]:
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
