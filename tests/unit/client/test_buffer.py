"""How reports wait: in order, within bounds, in calls that the contract allows."""

import pytest

from batchprogress._reporting.buffer import CALL_BYTES_MAX, CALL_REPORTS_MAX, FRAME_BYTES_MAX, Buffer
from batchprogress.errors import ReportNotTaken
from batchprogress.v1 import progress_pb2 as pb
from tests.unit.client.reports import report

CALL_BYTES_LIMIT = 4 * 1024 * 1024


def test_a_call_carries_no_more_reports_than_the_contract_allows() -> None:
    """Of 10,001 reports a call carries the first 10,000."""
    buffer = Buffer()
    for number in range(CALL_REPORTS_MAX + 1):
        buffer.append(report(f"j{number}"))
    buffer.claim()
    assert len(buffer.in_flight) == CALL_REPORTS_MAX
    assert buffer.has_waiting


def test_a_call_carries_no_more_bytes_than_the_contract_allows() -> None:
    """Reports with long errors are split into calls below 4 MiB, each as full as possible."""
    buffer = Buffer()
    for number in range(1_000):
        buffer.append(report(f"j{number}", "x" * 8_000))
    sizes = []
    while buffer.has_waiting:
        buffer.claim()
        reports = [entry.report for entry in buffer.in_flight]
        sizes.append(pb.ReportJobResultsRequest(results=reports).ByteSize())
        buffer.finish_call()
    assert max(sizes) < CALL_BYTES_LIMIT
    assert min(sizes[:-1]) > CALL_BYTES_MAX - 8_200


def test_a_report_larger_than_a_call_is_sent_alone() -> None:
    """The server refuses it; held back, it would block every later report."""
    buffer = Buffer()
    for job_id in ("a", "j" * CALL_BYTES_MAX, "b"):
        buffer.append(report(job_id))
    calls = []
    for _ in range(3):
        buffer.claim()
        calls.append([entry.report.job_id[:1] for entry in buffer.in_flight])
        buffer.finish_call()
    assert calls == [["a"], ["j"], ["b"]]


def test_a_full_buffer_refuses_the_newest_report() -> None:
    """Accepted reports stay; a new one is accepted again once there is room."""
    buffer = Buffer(reports_max=2)
    buffer.append(report("a"))
    buffer.append(report("b"))
    with pytest.raises(ReportNotTaken, match="2 reports wait"):
        buffer.append(report("c"))
    buffer.claim(1)
    with pytest.raises(ReportNotTaken):
        buffer.append(report("c"))  # the report in flight is not answered yet
    buffer.finish_call()
    buffer.append(report("c"))
    assert [waiting.job_id for waiting in buffer] == ["b", "c"]


def test_bytes_are_bounded_and_freed() -> None:
    """A buffer full of bytes refuses a report until others are answered, every time again."""
    size = report("a").ByteSize() + FRAME_BYTES_MAX
    buffer = Buffer(bytes_max=2 * size)
    for _ in range(3):
        buffer.append(report("a"))
        buffer.append(report("b"))
        with pytest.raises(ReportNotTaken):
            buffer.append(report("c"))
        buffer.claim()
        buffer.finish_call(buffer.in_flight)  # unanswered: nothing is freed
        with pytest.raises(ReportNotTaken):
            buffer.append(report("c"))
        buffer.claim()
        buffer.finish_call()


def test_unanswered_reports_return_to_the_front() -> None:
    """Reports of a failed call keep their place, and only answered ones are gone."""
    buffer = Buffer()
    for job_id in ("a", "b", "c"):
        buffer.append(report(job_id))
    buffer.claim(2)
    buffer.finish_call(buffer.in_flight[1:])
    assert [waiting.job_id for waiting in buffer] == ["b", "c"]
    assert [buffer.is_answered(number) for number in (1, 2, 3)] == [True, False, False]


def test_a_report_in_flight_is_not_answered() -> None:
    """Reports in flight are older than those that wait."""
    buffer = Buffer()
    for job_id in ("a", "b"):
        buffer.append(report(job_id))
    buffer.claim(1)
    assert not buffer.is_answered(1)


def test_an_answered_report_is_no_longer_unkept() -> None:
    """Those that return to the front still are; one that is answered before it is marked never was."""
    buffer = Buffer()
    for job_id in ("a", "b", "c"):
        buffer.append(report(job_id))
        buffer.mark_unkept(buffer.last_number)
    buffer.claim()
    buffer.finish_call(buffer.in_flight[1:])
    buffer.mark_unkept(1)
    buffer.mark_kept(2)
    assert [entry.report.job_id for entry in buffer.unkept] == ["c"]
    buffer.claim()
    buffer.finish_call()
    assert buffer.unkept == []
    assert vars(buffer)["_unkept"] == set()  # what it remembers does not grow
