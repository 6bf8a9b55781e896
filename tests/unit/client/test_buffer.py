"""How reports wait: in order, within bounds, in calls that the contract allows."""

import pytest

from batchprogress._reporting.buffer import CALL_BYTES_MAX, CALL_REPORTS_MAX, FRAME_BYTES_MAX, Buffer
from batchprogress.errors import ReportNotTaken
from batchprogress.v1 import progress_pb2 as pb
from tests.unit.client.reports import report

CALL_BYTES_LIMIT = 4 * 1024 * 1024


def test_a_call_takes_no_more_reports_than_the_contract_allows() -> None:
    """Of 10,001 reports a call takes the first 10,000."""
    buffer = Buffer()
    for number in range(CALL_REPORTS_MAX + 1):
        buffer.put(report(f"j{number}"))
    buffer.take()
    assert len(buffer.under_way) == CALL_REPORTS_MAX
    assert buffer.has_waiting


def test_a_call_takes_no_more_bytes_than_the_contract_allows() -> None:
    """Reports with long errors are split into calls below 4 MiB, and each call brings as much as it may."""
    buffer = Buffer()
    for number in range(1_000):
        buffer.put(report(f"j{number}", "x" * 8_000))
    sizes = []
    while buffer.has_waiting:
        buffer.take()
        reports = [entry.report for entry in buffer.under_way]
        sizes.append(pb.ReportJobResultsRequest(results=reports).ByteSize())
        buffer.settle()
    assert max(sizes) < CALL_BYTES_LIMIT
    assert min(sizes[:-1]) > CALL_BYTES_MAX - 8_200


def test_a_full_buffer_refuses_the_newest() -> None:
    """What was taken stays; the report beyond the bound is refused, and taken again once there is room."""
    buffer = Buffer(reports_max=2)
    buffer.put(report("a"))
    buffer.put(report("b"))
    with pytest.raises(ReportNotTaken, match="2 reports wait"):
        buffer.put(report("c"))
    buffer.take(1)
    with pytest.raises(ReportNotTaken):
        buffer.put(report("c"))  # one under way is not answered yet
    buffer.settle()
    buffer.put(report("c"))
    assert [waiting.job_id for waiting in buffer] == ["b", "c"]


def test_bytes_are_bounded_and_freed() -> None:
    """A buffer full of bytes refuses, and takes as much again after these are settled, each time anew."""
    size = report("a").ByteSize() + FRAME_BYTES_MAX
    buffer = Buffer(bytes_max=2 * size)
    for _ in range(3):
        buffer.put(report("a"))
        buffer.put(report("b"))
        with pytest.raises(ReportNotTaken):
            buffer.put(report("c"))
        buffer.take()
        buffer.settle(buffer.under_way)  # not answered: nothing is freed
        with pytest.raises(ReportNotTaken):
            buffer.put(report("c"))
        buffer.take()
        buffer.settle()


def test_what_is_unanswered_comes_first_again() -> None:
    """Reports of a call that failed keep their place, and are not settled."""
    buffer = Buffer()
    for job_id in ("a", "b", "c"):
        buffer.put(report(job_id))
    buffer.take(2)
    buffer.settle(buffer.under_way[1:])
    assert [waiting.job_id for waiting in buffer] == ["b", "c"]
    assert [buffer.is_settled(number) for number in (1, 2, 3)] == [True, False, False]
