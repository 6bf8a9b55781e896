"""The interpretation of what RQ stores."""

import zlib
from base64 import b64encode

import pytest

from batches.result import ERROR_MESSAGE_CHARACTERS_MAX, JobOutcome
from services.job_status.source import JobStatus, QueueContradiction
from services.job_status.sources.rq_states import (
    FIELDS,
    TRACEBACK_BYTES_MAX,
    may_be_deleted,
    outcome_of,
    status_of,
)


def fields(status: bytes | None = b"finished", **changed: bytes | None) -> list[bytes | None]:
    """Return the fields of a job that RQ never deletes, some of them changed."""
    values = {**dict.fromkeys(FIELDS), "status": status, "result_ttl": b"-1", **changed}
    return [values[name] for name in FIELDS]


def compress(text: str) -> bytes:
    """Return a traceback as RQ stores it."""
    return b64encode(zlib.compress(text.encode()))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (b"finished", JobOutcome.SUCCEEDED),
        (b"failed", JobOutcome.FAILED),
        (b"stopped", JobOutcome.SKIPPED),
        (b"canceled", JobOutcome.SKIPPED),
        (b"deferred", None),
        (None, None),
    ],
)
def test_status_determines_the_outcome(status: bytes | None, outcome: JobOutcome | None) -> None:
    """A job that RQ has deleted is pending."""
    assert outcome_of(fields(status)) is outcome


@pytest.mark.parametrize(
    ("started", "retries", "attempt"),
    [(None, None, 1), (None, b"2", 3), (b"2", None, 2), (b"2", b"4", 2), (b"0", b"1", 2)],
)
def test_attempts_of_our_client_win_over_retries(
    started: bytes | None, retries: bytes | None, attempt: int
) -> None:
    assert (
        status_of("a", fields(batchprogress_attempts=started, number_of_retries=retries), None).attempt
        == attempt
    )


@pytest.mark.parametrize("number", [{"batchprogress_attempts": b"two"}, {"number_of_retries": b"1.5"}])
def test_attempt_that_is_not_a_number_is_a_contradiction(number: dict[str, bytes]) -> None:
    with pytest.raises(QueueContradiction):
        status_of("a", fields(**number), None)


@pytest.mark.parametrize(
    ("job", "deleted"),
    [
        (fields(), False),
        (fields(failure_ttl=b"-1"), False),
        (fields(failure_ttl=b"9"), True),
        (fields(ttl=b"9"), True),
        (fields(result_ttl=b"500"), True),
        (fields(result_ttl=None), True),
        (fields(status=None), True),
    ],
)
def test_only_a_job_that_never_expires_is_kept(job: list[bytes | None], deleted: bool) -> None:  # noqa: FBT001  # a column of the table
    assert may_be_deleted(job) is deleted


def test_error_is_the_last_line_of_the_traceback() -> None:
    """The module of the exception is removed, and the message truncated."""
    traceback = compress(f'Traceback:\n  File "a.py"\nqueue.errors.NoRow: {"é" * 5_000}\n')
    assert status_of("a", fields(b"failed"), traceback) == JobStatus(
        "a", JobOutcome.FAILED, error_type="NoRow", error_message="é" * ERROR_MESSAGE_CHARACTERS_MAX
    )


@pytest.mark.parametrize("traceback", [None, b"", compress(""), b"not base64", b64encode(b"not zlib")])
def test_unreadable_traceback_is_no_error(traceback: bytes | None) -> None:
    status = status_of("a", fields(b"failed"), traceback)
    assert (status.error_type, status.error_message) == ("", "")


def test_large_traceback_is_not_expanded() -> None:
    """What lies behind the limit is not read."""
    traceback = compress("x" * TRACEBACK_BYTES_MAX + "\nValueError: behind the limit")
    assert status_of("a", fields(b"failed"), traceback).error_message == ""
