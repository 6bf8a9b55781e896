"""Reports that jobs leave in the inbox, without a lock, until the sender makes them into messages."""

import threading

import pytest

from batchprogress import Reporter
from batchprogress._grpc.retry import Failure
from batchprogress._reporting.call_pace import FILL_SECONDS, FULL_REPORTS, CallPace, Pause
from batchprogress._reporting.inbox import INBOX_REPORTS_MAX, Inbox
from batchprogress.v1 import progress_pb2 as pb
from database_servers.ports import free_port
from tests.unit.client.reports import jobs_of, outbox_with, recorded, report
from tests.unit.client.test_sender import SECONDS_MAX, Paused, sender_of


class Stuck(Paused):
    """An outbox that handles a failure, with the lock of its sender, until it may go on."""

    def __init__(self) -> None:
        super().__init__(seconds=3_600.0)
        self.is_stuck, self.may_go_on = threading.Event(), threading.Event()

    def on_failure(self, failure: Failure) -> Pause:
        """Wait with the lock held."""
        self.is_stuck.set()
        assert self.may_go_on.wait(SECONDS_MAX)
        return super().on_failure(failure)


def inbox_of(reports_max: int = 100) -> tuple[Inbox, list[str]]:
    """Return an open inbox, and what it notes whenever it wakes the sender."""
    woken: list[str] = []
    inbox = Inbox(lambda: woken.append("woken"), reports_max)
    inbox.is_open = True
    return inbox, woken


def put(inbox: Inbox, job_id: str) -> bool:
    """Put the report of a job that succeeded."""
    return inbox.put(pb.JOB_OUTCOME_SUCCEEDED, job_id, "b", 1, "")


def test_a_report_does_not_wait_while_the_sender_handles_an_answer() -> None:
    """The sender holds its lock for milliseconds while it handles thousands of answers."""
    outbox = Stuck()
    with sender_of(outbox) as sender:
        sender.enqueue(report("first"))
        assert outbox.is_stuck.wait(SECONDS_MAX)
        reporting = threading.Thread(target=sender.put, args=[pb.JOB_OUTCOME_SUCCEEDED, "a", "b", 1, ""])
        reporting.start()
        reporting.join(SECONDS_MAX / 2)
        was_blocked = reporting.is_alive()
        outbox.may_go_on.set()
        reporting.join()
        assert not was_blocked
        assert sender.counts.pending == 2


def test_only_a_sender_that_waits_for_reports_is_woken() -> None:
    """During a call or a pause, it looks into the inbox afterwards."""
    inbox, woken = inbox_of()
    put(inbox, "a")
    assert woken == []
    inbox.wakes = True
    put(inbox, "b")
    assert woken == ["woken"]


def test_the_order_of_reports_is_kept() -> None:
    """What is in the inbox comes before a later report that goes to the outbox at once."""
    outbox = outbox_with()
    inbox, _ = inbox_of()
    put(inbox, "a")
    put(inbox, "b")
    inbox.move_to(outbox)
    outbox.enqueue(report("c"))
    assert jobs_of(outbox.start_call()) == ["a", "b", "c"]


@pytest.mark.parametrize("reports_max", [1, 10, 100_000])
def test_an_inbox_is_bounded(reports_max: int) -> None:
    """It holds at most half of what its buffer does, so that whatever it takes has room there."""
    inbox, _ = inbox_of(reports_max)
    taken = sum(put(inbox, str(number)) for number in range(INBOX_REPORTS_MAX + 1))
    assert taken == min(INBOX_REPORTS_MAX, reports_max // 2)


@pytest.mark.parametrize("reports_max", [1, 2, 9, 10, 1_500])
def test_a_buffer_takes_exactly_as_many_reports_as_fit(reports_max: int) -> None:
    """The inbox moves no report beyond the bound."""
    reporter = Reporter(f"127.0.0.1:{free_port()}", "b", reports_max=reports_max, exit_seconds_max=0.0)
    for number in range(reports_max + 7):
        reporter.succeeded(str(number))
    counts = reporter.counts
    reporter.close(0.0)
    assert (counts.pending, counts.dropped) == (reports_max, {"BUFFER_FULL": 7})


def test_an_invalid_report_is_counted_and_the_others_are_kept() -> None:
    """It is found when the message is made, and fails no job."""
    outbox = outbox_with()
    inbox, _ = inbox_of()
    put(inbox, "a")
    put(inbox, 17)  # type: ignore[arg-type]
    inbox.put(pb.JOB_OUTCOME_SUCCEEDED, "b", "b", "first", "")  # type: ignore[arg-type]
    put(inbox, "caf\udce9")
    put(inbox, "c")
    inbox.move_to(outbox)
    assert (outbox.counts.pending, outbox.counts.dropped) == (2, {"INVALID_FIELD": 3})


def test_a_report_that_comes_while_its_sender_stops_is_counted() -> None:
    """Its thread saw the inbox open, and put the report after everything was counted."""
    with sender_of(Paused(seconds=3_600.0)) as sender:
        sender.enqueue(report("a"))
        sender.close(0.0)
        sender._inbox.is_open = True  # noqa: SLF001  # as that thread has seen it
        assert sender.put(pb.JOB_OUTCOME_SUCCEEDED, "b", "b", 1, "")
        assert sender._outbox.counts.dropped == {"UNSENT": 1, "CLOSED": 1}  # noqa: SLF001


def test_small_calls_wait_for_more_reports() -> None:
    """A lone report is sent at once, but the next call begins a little later. Full calls follow at once."""
    outbox = outbox_with("a")
    outbox.start_call()
    assert outbox.on_response(recorded(1)) == Pause(FILL_SECONDS)
    assert CallPace().answered(FULL_REPORTS, is_complete=True) == Pause()


def test_calls_that_were_made_smaller_follow_at_once() -> None:
    """There are more reports than a call may carry."""
    pace = CallPace()
    pace.size.halve(100)
    assert pace.answered(50, is_complete=True) == Pause()
