"""What RQ keeps of a job, without any Redis. The states are told in `rq`."""

import zlib
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Sequence

from batches.result import ERROR_MESSAGE_CHARACTERS_MAX, JobOutcome
from services.job_status.source import JobStatus, QueueContradiction

FIELDS = ("status", "batchprogress_attempts", "number_of_retries", "result_ttl", "failure_ttl", "ttl")
"""The fields of a job's hash that are read: never its data, result or meta, which are pickles.

The second is of our own client: how many times a worker has begun the job.
"""
Fields = Sequence[bytes | None]
"""Their values; all None: RQ has forgotten the job."""

FAILED = b"failed"
FOR_EVER = b"-1"
TRACEBACK_BYTES_MAX = 1024 * 1024
"""Far more than a traceback has; what is packed may unpack to gigabytes."""

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


def status_of(job_id: str, fields: Fields, packed_traceback: bytes | None) -> JobStatus:
    """Return a job; its traceback, if there is one, as RQ packs it.

    Raises:
        QueueContradiction: its state is none that is known, or its retries are no number.

    """
    begun, retries = fields[1:3]
    error_type, error_message = _error_of(packed_traceback)
    return JobStatus(
        job_id,
        outcome_of(fields),
        attempt=_whole_number(begun) or 1 + _whole_number(retries),
        error_type=error_type,
        error_message=error_message,
    )


def may_be_forgotten(fields: Fields) -> bool:
    """Tell whether RQ has forgotten the job, or will: by default it keeps a result for 500 seconds."""
    status, _, _, result_ttl, failure_ttl, ttl = fields
    return status is None or result_ttl != FOR_EVER or failure_ttl not in (None, FOR_EVER) or ttl is not None


def outcome_of(fields: Fields) -> JobOutcome | None:
    """Return how a job ended, if it has; one that RQ has forgotten is pending: nobody knows how it ended.

    Raises:
        QueueContradiction: its state is none that is known.

    """
    state = fields[0]
    if state is None:
        return None
    if state not in OUTCOMES:
        raise QueueContradiction("a job's status is none that RQ has")
    return OUTCOMES[state]


def _whole_number(text: bytes | None) -> int:
    try:
        return int(text or 0)
    except ValueError as error:
        raise QueueContradiction("a job's count of attempts is no whole number") from error


def _error_of(packed_traceback: bytes | None) -> tuple[str, str]:
    """Return the type and message of the last line of a traceback; empty if there is no such line."""
    lines = _unpacked(packed_traceback or b"").rstrip().splitlines()
    if not lines:
        return "", ""
    kind, _, message = lines[-1].partition(": ")
    # An exception's name ends in itself; its module says nothing to who reads a table of errors.
    return kind.rsplit(".", 1)[-1], message[:ERROR_MESSAGE_CHARACTERS_MAX]


def _unpacked(packed: bytes) -> str:
    try:
        plain = zlib.decompressobj().decompress(b64decode(packed), TRACEBACK_BYTES_MAX) if packed else b""
    except (zlib.error, NoBase64):
        return ""
    return plain.decode(errors="replace")
