"""How one attempt of a job ended, and what becomes of a report of it."""

import enum
from dataclasses import dataclass
from datetime import datetime

ERROR_TYPE_CHARACTERS_MAX = 200
"""Room for a qualified class name; failures are grouped by it."""
ERROR_MESSAGE_CHARACTERS_MAX = 2_000
"""Enough to recognise an error by; a queue's own log keeps the stack trace."""


class JobOutcome(enum.IntEnum):
    """How an attempt ended; the numbers are kept in the database and equal the contract's."""

    SUCCEEDED = 1
    FAILED = 2
    SKIPPED = 3


class ResultSource(enum.IntEnum):
    """Who said how a job ended; the numbers are kept in the database."""

    WORKER = 1
    RECONCILER = 2


class Disposition(enum.IntEnum):
    """What became of a report; the numbers equal the contract's."""

    RECORDED = 1
    DUPLICATE = 2
    SUPERSEDED_EARLIER = 3
    STALE = 4


@dataclass(frozen=True, slots=True)
class JobResult:
    """A report: one attempt of one job and its outcome."""

    batch_id: str
    job_id: str
    outcome: JobOutcome
    attempt: int = 1
    error_type: str = ""
    error_message: str = ""


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """What decides about the next report of a job: the recorded attempt, its outcome and its source."""

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


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """The failed results of a batch whose errors are alike."""

    error_type: str
    failed_jobs: int
    message_template: str
    """The sample's message without what varies; batches.fingerprint."""
    sample_error_message: str
    sample_job_id: str
