"""The interpretation of what RQ stores."""

import zlib
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batches.result import ERROR_MESSAGE_CHARACTERS_MAX, JobOutcome
from services.job_status.convert import to_job_status
from services.job_status.source import JobStatus
from services.job_status.sources.rq_states import (
    FIELDS,
    TRACEBACK_BYTES_MAX,
    may_be_deleted,
    name_of,
    parse_error,
    status_of,
)
from services.job_status.sources.unreadable import Unreadable, status_or_problem


def fields(status: bytes | None = b"finished", **changed: bytes | None) -> list[bytes | None]:
    """Return the fields of a job that RQ never deletes, some of them changed."""
    values = {**dict.fromkeys(FIELDS), "status": status, "result_ttl": b"-1", **changed}
    return [values[name] for name in FIELDS]


def compress(text: bytes) -> bytes:
    """Return a traceback as RQ stores it."""
    return b64encode(zlib.compress(text))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (b"finished", JobOutcome.SUCCEEDED),
        (b"failed", JobOutcome.FAILED),
        (b"stopped", JobOutcome.SKIPPED),
        (b"canceled", JobOutcome.SKIPPED),
        (b"deferred", None),
        (b"scheduled", None),
        (None, None),
    ],
)
def test_status_determines_the_outcome(status: bytes | None, outcome: JobOutcome | None) -> None:
    """A job that RQ has deleted is pending."""
    assert status_of("a", fields(status)).outcome is outcome


@pytest.mark.parametrize(
    ("started", "retries", "attempt"),
    [(None, None, 1), (None, b"2", 3), (b"2", None, 2), (b"2", b"4", 2), (b"0", b"1", 2)],
)
def test_attempts_of_our_client_win_over_retries(
    started: bytes | None, retries: bytes | None, attempt: int
) -> None:
    numbers = fields(batchprogress_attempts=started, number_of_retries=retries)
    assert status_of("a", numbers).attempt == attempt


UNREADABLE = {
    "a word": fields(batchprogress_attempts=b"two"),
    "a fraction": fields(number_of_retries=b"1.5"),
    "5,000 digits": fields(number_of_retries=b"9" * 5_000),
    "beyond the contract": fields(batchprogress_attempts=b"2147483647"),
    "a negative number": fields(batchprogress_attempts=b"-1"),
    "an unknown status": fields(b"done"),
    "a key of another type": None,
}


@pytest.mark.parametrize("job", UNREADABLE.values(), ids=UNREADABLE)
def test_status_or_attempt_that_rq_does_not_write_is_unreadable(job: list[bytes | None] | None) -> None:
    with pytest.raises(Unreadable):
        status_of("a", job)


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.none() | st.binary(max_size=20), min_size=len(FIELDS), max_size=len(FIELDS)))
def test_any_fields_are_a_job_that_a_message_can_carry(values: list[bytes | None]) -> None:
    to_job_status(status_or_problem("a", lambda: status_of("a", values)))
    to_job_status(status_or_problem("a", lambda: status_of("a", [b"failed", *values[1:]])))


@settings(max_examples=50, deadline=None)
@given(payload=st.binary(max_size=50), text=st.text(st.characters(codec=None), max_size=20))
def test_any_traceback_is_an_error_that_a_message_can_carry(payload: bytes, text: str) -> None:
    for traceback in (payload, b64encode(payload), compress(text.encode("utf-8", "surrogatepass"))):
        to_job_status(JobStatus("a", JobOutcome.FAILED, 1, *parse_error(traceback)))


@pytest.mark.parametrize(
    ("description", "name"),
    [
        (b"shop.tasks.sync('Ms. Doe', key=(1, 2))", "shop.tasks.sync"),
        (b"Sync the customers", "Sync the customers"),
        (b"\xff (x)", "\ufffd"),
        (None, ""),
    ],
)
def test_name_is_the_description_without_arguments(description: bytes | None, name: str) -> None:
    assert name_of(description) == name


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
    traceback = compress(f'Traceback:\n  File "a.py"\nqueue.errors.NoRow: {"é" * 5_000}\n'.encode())
    assert parse_error(traceback) == ("NoRow", "é" * ERROR_MESSAGE_CHARACTERS_MAX)


@pytest.mark.parametrize("traceback", [None, b"", compress(b""), b"not base64", b64encode(b"not zlib")])
def test_unreadable_traceback_is_no_error(traceback: bytes | None) -> None:
    assert parse_error(traceback) == ("", "")


def test_large_traceback_is_not_expanded() -> None:
    """What lies behind the limit is not read."""
    traceback = compress(b"x" * TRACEBACK_BYTES_MAX + b"\nValueError: behind the limit")
    assert parse_error(traceback)[1] == ""
