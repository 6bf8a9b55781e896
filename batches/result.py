"""The result of an attempt of a job, and the answers to a report of it. Pure."""

import enum
from dataclasses import dataclass
from datetime import datetime

ERROR_TYPE_CHARACTERS_MAX = 200
"""Room for a qualified class name; failures are grouped by it."""
ERROR_MESSAGE_CHARACTERS_MAX = 2_000
"""Enough to recognise an error; its stack trace is in the details."""
ERROR_DETAILS_BYTES_MAX = 16 * 1024
"""In UTF-8: a stack trace of some hundred lines."""

JOB_NAME_CHARACTERS_MAX = 200
"""One line on a screen, like the name of a batch."""
ATTEMPT_MAX = 2**31 - 1
"""The contract's int32."""


class JobOutcome(enum.IntEnum):
    """How an attempt ended. The numbers are stored in the database and equal those of the contract."""

    SUCCEEDED = 1
    FAILED = 2
    SKIPPED = 3


class ResultSource(enum.IntEnum):
    """Who reported a result. The numbers are stored in the database."""

    WORKER = 1
    RECONCILER = 2


class Disposition(enum.IntEnum):
    """What a report changed. The numbers equal those of the contract."""

    RECORDED = 1
    DUPLICATE = 2
    SUPERSEDED_EARLIER = 3
    STALE = 4


@dataclass(slots=True, unsafe_hash=True)
class JobResult:
    """A report of one attempt of a job.

    Nothing changes it. It is not frozen, because that takes a microsecond more for each.
    """

    batch_id: str
    job_id: str
    outcome: JobOutcome
    attempt: int = 1
    error_type: str = ""
    error_message: str = ""
    display_name: str = ""
    error_details: str = ""


@dataclass(slots=True, unsafe_hash=True)
class StoredAttempt:
    """The recorded attempt of a job, as far as the verdict on its next report depends on it.

    Nothing changes it, like a JobResult.
    """

    attempt: int
    outcome: JobOutcome
    source: ResultSource


@dataclass(frozen=True, slots=True)
class RecordedResult:
    """A recorded result as it is listed."""

    job_id: str
    outcome: JobOutcome
    attempt: int
    error_type: str
    error_message: str
    source: ResultSource
    record_time: datetime
    display_name: str = ""
    error_details: str = ""
    """Read for one job only; empty if none were kept."""
