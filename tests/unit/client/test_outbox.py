"""What is sent next, and what each answer means."""

import logging

import grpc
import pytest

from batchprogress._grpc.retry import Failure
from batchprogress.errors import ReportNotTaken
from tests.unit.client.reports import AWAY, DEFECT, answers, jobs_of, outbox_of, recorded, report


def test_what_gathers_during_a_call_is_the_next_call() -> None:
    """A lone report is a call of its own; all that come meanwhile are the next one."""
    outbox = outbox_of("a")
    first = outbox.begin()
    for job_id in ("b", "c"):
        outbox.put(report(job_id))
    outbox.answer(recorded(1))
    assert (jobs_of(first), jobs_of(outbox.begin())) == (["a"], ["b", "c"])


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNKNOWN,
    ],
)
def test_a_call_that_reached_no_answer_is_made_again(code: grpc.StatusCode) -> None:
    """The same reports in the same order, after a pause, for ever."""
    outbox = outbox_of("a", "b")
    for _ in range(50):
        assert jobs_of(outbox.begin()) == ["a", "b"]
        assert outbox.fail(Failure(code, "")).seconds > 0
    assert outbox.counts.pending == 2


def test_a_full_server_is_sent_less_and_left_alone_as_long_as_it_asks() -> None:
    """RESOURCE_EXHAUSTED: half as many reports, not before RetryInfo's delay, which no flush ends."""
    outbox = outbox_of("a", "b", "c", "d")
    outbox.begin()
    pause = outbox.fail(Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "", "BACKLOG_FULL", retry_seconds=7.0))
    assert pause.seconds >= 7.0
    assert not pause.hurried
    assert jobs_of(outbox.begin()) == ["a", "b"]


def test_a_refused_report_never_fails_its_neighbours() -> None:
    """Each result's own error drops that report alone, by its reason."""
    outbox = outbox_of("a", "b", "c")
    outbox.begin()
    outbox.answer(answers([None, grpc.StatusCode.FAILED_PRECONDITION, None]))
    assert outbox.counts.recorded == 2
    assert outbox.counts.dropped == {"REASON_FAILED_PRECONDITION": 1}
    assert not outbox.has_waiting


def test_a_result_that_may_be_recorded_later_is_sent_again() -> None:
    """A result's own UNAVAILABLE, or no answer for it at all, sends it again, with a pause."""
    outbox = outbox_of("a", "b", "c")
    outbox.begin()
    pause = outbox.answer(answers([None, grpc.StatusCode.UNAVAILABLE]))
    assert pause.seconds > 0
    assert jobs_of(outbox.begin()) == ["b", "c"]


def test_a_report_that_the_server_cannot_take_is_found_and_dropped_alone() -> None:
    """When calls fail for good because of one report, halves find it; every other one is recorded."""
    jobs = [f"j{number}" for number in range(100)]
    outbox = outbox_of(*jobs)
    calls = 0
    while outbox.has_waiting:
        call = jobs_of(outbox.begin())
        calls += 1
        if "j77" in call:
            outbox.fail(DEFECT)
        else:
            outbox.answer(recorded(len(call)))
    assert outbox.counts.recorded == 99
    assert outbox.counts.dropped == {"INTERNAL": 1}
    assert calls < 50


def test_trouble_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A server that is away is one warning until it is back; a reason for refusing is one for good."""
    caplog.set_level(logging.INFO, "batchprogress")
    outbox = outbox_of("a", "b", "c", "d", reports_max=4)
    for _ in range(10):
        outbox.begin()
        outbox.fail(AWAY)
    for _ in range(3):
        with pytest.raises(ReportNotTaken):
            outbox.put(report("e"))
    outbox.begin()
    outbox.answer(answers([grpc.StatusCode.NOT_FOUND] * 4))
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO", "WARNING"]
    assert "connection refused" in caplog.messages[0]
    assert outbox.counts.dropped == {"BUFFER_FULL": 3, "REASON_NOT_FOUND": 4}


def test_delays_begin_anew_for_who_waits() -> None:
    """After hurry the next delay is as short as the first one, however long the server has been away."""
    outbox = outbox_of("a")
    for _ in range(30):
        outbox.begin()
        outbox.fail(AWAY)
        outbox.hurry()
        outbox.begin()
        assert outbox.fail(AWAY).seconds <= 0.05


def test_what_is_unsent_at_the_end_is_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """Reports that nobody answered are lost as UNSENT, with one warning that tells their number."""
    outbox = outbox_of("a", "b")
    outbox.begin()
    outbox.give_up()
    assert outbox.counts.dropped == {"UNSENT": 2}
    assert [message.split(" are ")[0] for message in caplog.messages] == ["2 reports"]
