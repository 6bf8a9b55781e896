"""Which batches are known to be cancelled."""

import subprocess
import sys
from dataclasses import dataclass, field

import grpc
import pytest

from batchprogress._reporting.cancelled_batches import SLOTS, CancelledBatches
from batchprogress.v1 import progress_pb2 as pb
from tests.unit.client.collected import SKIPPED, Collected
from tests.unit.client.reports import outbox_with, response_with

CANCELLED, PROCESSING = pb.BATCH_STATE_CANCELLED, pb.BATCH_STATE_PROCESSING


@dataclass
class Noted:
    """Batches, with a clock that the test sets."""

    now: float = 1_000.0
    batches: CancelledBatches = field(init=False)

    def __post_init__(self) -> None:
        """Use the clock."""
        self.batches = CancelledBatches(lambda: self.now)


def response_of(*states: pb.BatchState.ValueType) -> pb.ReportJobResultsResponse:
    """Return a response that says that every result was recorded, with the state of its batch."""
    recorded = pb.DISPOSITION_RECORDED
    return pb.ReportJobResultsResponse(
        results=[pb.ReportedResult(disposition=recorded, batch_state=state) for state in states]
    )


@pytest.mark.parametrize(
    ("states", "is_cancelled"),
    [((PROCESSING, CANCELLED), True), ((CANCELLED, PROCESSING), False), ((PROCESSING, PROCESSING), False)],
)
def test_the_newest_answer_says_whether_a_batch_is_cancelled(
    states: tuple[pb.BatchState.ValueType, ...], *, is_cancelled: bool
) -> None:
    outbox = outbox_with("1", "2")
    outbox.start_call()
    outbox.on_response(response_of(*states))
    assert outbox.cancelled_batches.has("b") is is_cancelled


def test_a_later_answer_says_that_the_id_belongs_to_a_new_batch() -> None:
    outbox = outbox_with("1", "2")
    for state in (CANCELLED, PROCESSING):
        outbox.start_call()
        outbox.on_response(response_of(state))
        assert outbox.cancelled_batches.has("b") is (state == CANCELLED)


def test_an_answer_with_an_error_says_nothing_about_its_batch() -> None:
    outbox = outbox_with("1")
    outbox.cancelled_batches.note("b", is_cancelled=True)
    outbox.start_call()
    outbox.on_response(response_with([grpc.StatusCode.FAILED_PRECONDITION]))
    assert outbox.cancelled_batches.has("b")


def test_a_job_that_was_enqueued_after_the_newest_answer_belongs_to_a_later_batch() -> None:
    """Its batch has the same id, but need not be cancelled."""
    noted = Noted()
    noted.batches.note("b", is_cancelled=True)
    assert noted.batches.has("b", enqueued_time=noted.now)
    assert not noted.batches.has("b", enqueued_time=noted.now + 1)


def test_a_batch_that_takes_the_slot_of_another_replaces_it() -> None:
    """The table has a fixed size; a batch that is not cancelled takes no slot."""
    batches = CancelledBatches()
    batches.note("first", is_cancelled=True)
    for number in range(20 * SLOTS):
        batches.note(f"running-{number}", is_cancelled=False)
    assert batches.has("first")
    for number in range(20 * SLOTS):
        batches.note(f"cancelled-{number}", is_cancelled=True)
    assert not batches.has("first")
    assert sum(batches.has(f"cancelled-{number}") for number in range(20 * SLOTS)) <= SLOTS


def test_what_a_forked_process_learns_its_parent_knows() -> None:
    """Celery and RQ report from another process than the one that starts jobs."""
    source = """
import os
from batchprogress._reporting.cancelled_batches import CancelledBatches
batches = CancelledBatches()
if not (child := os.fork()):
    batches.note("b", is_cancelled=True)
    os._exit(0)
os.waitpid(child, 0)
assert batches.has("b")
"""
    subprocess.run([sys.executable, "-c", source], check=True)


def test_a_job_knows_whether_its_batch_is_cancelled() -> None:
    reporter = Collected()
    with reporter.job("17") as job:
        assert not job.cancelled
        reporter.cancelled_batches.note("b", is_cancelled=True)
        if job.cancelled:
            job.skip()
    with reporter.job("18", batch_id="another") as job:
        assert not job.cancelled
    assert (reporter.is_cancelled(), reporter.is_cancelled("b"), reporter.is_cancelled("another")) == (
        True,
        True,
        False,
    )
    assert reporter.reported[0] == ("17", SKIPPED, 1)
