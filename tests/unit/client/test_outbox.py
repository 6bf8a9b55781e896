"""Which reports the next call carries, and what each answer means."""

import logging

import grpc
import pytest

from batchprogress._grpc import outage
from batchprogress._grpc.retry import BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN, Failure, failure_of
from batchprogress._reporting.once_log import OnceLog
from batchprogress.errors import ReportNotTaken
from tests.unit.client.reports import (
    INTERNAL,
    UNAVAILABLE,
    jobs_of,
    outbox_with,
    recorded,
    report,
    response_with,
)

FULL = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "", "BACKLOG_FULL", retry_seconds=7.0)


def test_reports_made_during_a_call_share_the_next_one() -> None:
    """A lone report is a call of its own."""
    outbox = outbox_with("a")
    first = outbox.start_call()
    for job_id in ("b", "c"):
        outbox.enqueue(report(job_id))
    outbox.on_response(recorded(1))
    assert (jobs_of(first), jobs_of(outbox.start_call())) == (["a"], ["b", "c"])


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, ""),
        (grpc.StatusCode.CANCELLED, ""),
        (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE"),
        (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"),
        (grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING"),
        (grpc.StatusCode.UNIMPLEMENTED, "UNKNOWN_METHOD"),
    ],
)
def test_an_unanswered_call_is_made_again(code: grpc.StatusCode, reason: str) -> None:
    """Each retry carries the same reports in the same order, after a delay."""
    outbox = outbox_with("a", "b")
    for _ in range(50):
        assert jobs_of(outbox.start_call()) == ["a", "b"]
        assert outbox.on_failure(Failure(code, "", reason)).seconds > 0
    assert outbox.counts.pending == 2


def test_a_call_that_was_never_made_is_made_again_slowly() -> None:
    """What a token function raises is not about the reports."""
    outbox = outbox_with("a", "b")
    for _ in range(50):
        assert jobs_of(outbox.start_call()) == ["a", "b"]
        assert outbox.on_failure(failure_of(OSError("no token"))).seconds >= BACKOFF_SECONDS_MAX / 2


def test_a_full_server_gets_half_as_many_reports_and_the_delay_it_asks_for() -> None:
    """flush() does not cut the delay of a RetryInfo short."""
    outbox = outbox_with("a", "b", "c", "d")
    outbox.start_call()
    pause = outbox.on_failure(FULL)
    assert pause.seconds >= 7.0
    assert not pause.is_interruptible
    assert jobs_of(outbox.start_call()) == ["a", "b"]


def test_a_lone_report_is_sent_again_to_a_full_server() -> None:
    """A call has at least one report."""
    outbox = outbox_with("a")
    outbox.start_call()
    outbox.on_failure(FULL)
    assert jobs_of(outbox.start_call()) == ["a"]


def test_a_refused_report_never_fails_its_neighbours() -> None:
    """The error of a result drops that report only, and counts its reason."""
    outbox = outbox_with("a", "b", "c")
    outbox.start_call()
    outbox.on_response(response_with([None, grpc.StatusCode.FAILED_PRECONDITION, None]))
    assert outbox.counts.recorded == 2
    assert outbox.counts.dropped == {"REASON_FAILED_PRECONDITION": 1}
    assert not outbox.has_waiting


def test_a_result_that_may_be_recorded_later_is_sent_again() -> None:
    """A result that the response does not mention is sent again too."""
    outbox = outbox_with("a", "b", "c")
    outbox.start_call()
    pause = outbox.on_response(response_with([None, grpc.StatusCode.UNAVAILABLE]))
    assert pause.seconds > 0
    assert jobs_of(outbox.start_call()) == ["b", "c"]


def test_a_report_that_fails_every_call_is_found_and_dropped_alone() -> None:
    """Calls are halved until it is alone; every other report is recorded."""
    jobs = [f"j{number}" for number in range(100)]
    outbox = outbox_with(*jobs)
    calls = 0
    while outbox.has_waiting:
        call = jobs_of(outbox.start_call())
        calls += 1
        if "j77" in call:
            outbox.on_failure(INTERNAL)
        else:
            outbox.on_response(recorded(len(call)))
    assert outbox.counts.recorded == 99
    assert outbox.counts.dropped == {"INTERNAL": 1}
    assert calls < 50


def test_each_problem_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unavailable server is one warning until it answers; so is each reason why reports are lost."""
    monkeypatch.setattr(outage, "LASTING_SECONDS", 0.0)
    caplog.set_level(logging.INFO, "batchprogress")
    outbox = outbox_with("a", "b", "c", "d", reports_max=4)
    for _ in range(10):
        outbox.start_call()
        outbox.on_failure(UNAVAILABLE)
    for _ in range(3):
        with pytest.raises(ReportNotTaken):
            outbox.enqueue(report("e"))
    outbox.start_call()
    outbox.on_response(response_with([grpc.StatusCode.NOT_FOUND] * 4))
    outbox.log.write()
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO", "WARNING"]
    assert "connection refused" in caplog.messages[0]
    assert outbox.counts.dropped == {"BUFFER_FULL": 3, "REASON_NOT_FOUND": 4}


def test_an_outage_is_a_warning_only_if_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    """A rollout cuts calls of a healthy service."""
    caplog.set_level(logging.INFO, "batchprogress")
    now, log = 0.0, OnceLog("test:1")
    for _ in range(3):
        for seconds in (0.0, 1.0, outage.LASTING_SECONDS - 1.0):
            log.server_unavailable(UNAVAILABLE, now + seconds)
        log.server_answers()
        now += outage.LASTING_SECONDS
    log.write()
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO"] * 3


def test_a_refused_token_is_a_warning_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """A person must change something."""
    log = OnceLog("test:1")
    log.server_unavailable(Failure(grpc.StatusCode.UNAUTHENTICATED, "invalid", "TOKEN_INVALID"), 0.0)
    log.write()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_cause_of_a_short_outage_is_a_warning_if_reports_stay_unsent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A script that ends soon would never say why."""
    outbox = outbox_with("a")
    outbox.start_call()
    outbox.on_failure(UNAVAILABLE)
    outbox.abandon_unsent(spooled=False)
    outbox.log.write()
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "connection refused" in caplog.messages[0]


def test_a_flush_resets_the_backoff() -> None:
    """The next delay is as short as the first one, even after a long outage."""
    outbox = outbox_with("a")
    for _ in range(30):
        outbox.start_call()
        outbox.on_failure(UNAVAILABLE)
        outbox.reset_backoff()
        outbox.start_call()
        assert outbox.on_failure(UNAVAILABLE).seconds <= BACKOFF_SECONDS_MIN


def test_an_answer_resets_the_backoff() -> None:
    """The first failure after an answer is retried soon, even if many calls had failed before."""
    outbox = outbox_with("a")
    for number in range(30):
        for _ in range(number):
            outbox.start_call()
            outbox.on_failure(UNAVAILABLE)
        outbox.start_call()
        outbox.on_response(recorded(1))
        outbox.enqueue(report("a"))
        outbox.start_call()
        assert outbox.on_failure(UNAVAILABLE).seconds <= BACKOFF_SECONDS_MIN


def test_unsent_reports_are_counted_and_logged_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """Without a spool they are dropped as UNSENT, with one warning that says how many."""
    outbox = outbox_with("a", "b")
    outbox.start_call()
    outbox.abandon_unsent(spooled=False)
    outbox.log.write()
    assert outbox.counts.dropped == {"UNSENT": 2}
    assert [message.split(" are ")[0] for message in caplog.messages] == ["2 reports"]
