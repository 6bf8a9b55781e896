"""The interpretation of a result in Redis, of which only the beginning and the ending are read."""

import bz2
import json
import lzma
import random
import zlib
from collections.abc import Callable

import pytest
from celery.backends.base import COMPRESSED_PAYLOAD_MAGIC, compress_payload
from hypothesis import given, settings
from hypothesis import strategies as st

from batches.result import JobOutcome
from services.job_status.convert import to_job_status
from services.job_status.source import JobStatus
from services.job_status.sources.celery_payloads import (
    ENDING_BYTES,
    PREFIX_BYTES,
    needs_ending,
    status_of_payload,
)
from services.job_status.sources.unreadable import status_or_problem

LONG = "x" * 2 * PREFIX_BYTES
ENDED: dict[str, object] = {"traceback": None, "children": [], "date_done": "2026-11-29T12:00:00+00:00"}
EXTENDED: dict[str, object] = {
    "name": "shop.sync",
    "args": [],
    "kwargs": {},
    "worker": "w",
    "retries": 2,
    "queue": "celery",
}
FEW = settings(max_examples=50, deadline=None)
COMPRESSIONS = {"gzip": zlib.compress, "bzip2": bz2.compress, "lzma": lzma.compress}


def status(stored: object) -> JobStatus:
    """Return the job of a result that is stored as JSON."""
    return status_of_bytes(json.dumps(stored).encode())


def status_of_bytes(payload: bytes) -> JobStatus:
    """Return the job of a result, of which as much is read as the source reads."""
    prefix = payload[: PREFIX_BYTES + 1]
    ending = payload[-ENDING_BYTES:] if needs_ending(prefix) else b""
    return status_or_problem("a", lambda: status_of_payload("a", prefix, ending))


def test_short_result_is_read_completely() -> None:
    stored = {"status": "SUCCESS", "result": 1, **ENDED, **EXTENDED, "task_id": "a"}
    assert status(stored) == JobStatus("a", JobOutcome.SUCCEEDED, 3, display_name="shop.sync")


@pytest.mark.parametrize(
    ("result", "extended", "attempt"),
    [
        (LONG, EXTENDED, 3),
        (LONG, {}, 1),
        ([LONG, {"retries": 7, "queue": "q"}], {}, 1),
        ([LONG, {"retries": 7, "queue": "q"}], EXTENDED, 3),
        (LONG, {**EXTENDED, "args": [{"retries": 7}]}, 3),
        (LONG, {**EXTENDED, "stamped_headers": ["s"], "s": ["x"]}, 3),
        (LONG, {**EXTENDED, "retries": None}, 1),
        (1, {**EXTENDED, "args": [LONG]}, 3),
    ],
)
def test_long_result_has_its_outcome_and_attempt(result: object, extended: object, attempt: int) -> None:
    """The retries are those of the task, not a member of that name in its arguments or its return value."""
    stored = {"status": "SUCCESS", "result": result, **ENDED, **extended, "task_id": "a"}  # type: ignore[dict-item]
    assert (status(stored).outcome, status(stored).attempt) == (JobOutcome.SUCCEEDED, attempt)


def test_long_error_keeps_its_type_and_the_beginning_of_its_message() -> None:
    error = {"exc_type": "ValueError", "exc_message": ["né " + LONG], "exc_module": "builtins"}
    failed = status({"status": "FAILURE", "result": error, **ENDED, "task_id": "a"})
    assert (failed.outcome, failed.error_type) == (JobOutcome.FAILED, "ValueError")
    assert failed.error_message == "né " + "x" * 1_997


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_compressed_result_is_read_completely(name: str) -> None:
    payload = compress_payload(json.dumps({"status": "FAILURE", "result": {"exc_type": "E"}}), name)
    assert status_of_bytes(payload) == JobStatus("a", JobOutcome.FAILED, error_type="E")


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_long_compressed_result_is_not_decompressed_completely(name: str) -> None:
    """A few kilobytes expand to gigabytes."""
    payload = compress_payload(json.dumps({"status": "SUCCESS", "result": LONG * 64}), name)
    assert len(payload) <= PREFIX_BYTES
    assert status_of_bytes(payload) == JobStatus("a", JobOutcome.SUCCEEDED)


@pytest.mark.parametrize(("name", "outcome"), [("gzip", JobOutcome.SUCCEEDED), ("bzip2", None)])
def test_compressed_result_that_is_long_has_its_outcome_or_a_problem(name: str, outcome: object) -> None:
    """The first block of bzip2 is longer than what is read."""
    text = json.dumps({"status": "SUCCESS", "result": random.Random(7).randbytes(99_999).hex()})
    payload = compress_payload(text, name)
    found = status_of_bytes(payload)
    assert len(payload) > PREFIX_BYTES
    assert (found.outcome, found.problem) == (outcome, "" if outcome else "its result is too long to be read")


@FEW
@given(payload=st.binary(max_size=50), times=st.sampled_from([1, PREFIX_BYTES]))
def test_any_bytes_are_a_job_that_a_message_can_carry(payload: bytes, times: int) -> None:
    to_job_status(status_of_bytes(payload * times))


@FEW
@given(st.sampled_from(list(COMPRESSIONS.values())), st.integers(0, 200), st.binary(max_size=3))
def test_any_damage_of_a_compressed_result_is_a_problem_or_unnoticed(
    compress: Callable[[bytes], bytes], position: int, damage: bytes
) -> None:
    body = compress(json.dumps({"status": "SUCCESS", "result": list(range(50))}).encode())
    damaged = body[:position] + damage + body[position + len(damage) :]
    for content_type in (b"application/x-gzip", b"application/x-bz2", b"application/x-lzma"):
        to_job_status(status_of_bytes(COMPRESSED_PAYLOAD_MAGIC + content_type + b"\x00" + damaged))
