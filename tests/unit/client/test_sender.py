"""What the sending thread does while its server is unavailable."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchprogress._grpc.connection import Connection, Token
from batchprogress._grpc.retry import BACKOFF_SECONDS_MIN, Failure
from batchprogress._reporting.buffer import Buffer
from batchprogress._reporting.once_log import OnceLog
from batchprogress._reporting.outbox import Outbox, Pause
from batchprogress._reporting.sender import Sender
from batchprogress._reporting.spool import FileSpool
from database_servers.ports import free_port
from tests.unit.client.reports import UNAVAILABLE, outbox_with, report

SECONDS_MAX = 10.0
"""A test that waits longer waits for something that will not happen."""


class Paused(Outbox):
    """An outbox that records its pauses, or replaces each by a longer one."""

    def __init__(self, seconds: float | None = None) -> None:
        super().__init__(Buffer(), OnceLog("test:1"))
        self._seconds = seconds
        self.pauses: list[Pause] = []
        self.has_paused = threading.Semaphore(0)

    def on_failure(self, failure: Failure) -> Pause:
        """Record the pause."""
        self.pauses.append(super().on_failure(failure))
        self.has_paused.release()
        return self.pauses[-1] if self._seconds is None else Pause(self._seconds)


@contextmanager
def sender_of(outbox: Outbox, token: Token | None = None) -> Iterator[Sender]:
    """Return a sender whose server refuses connections."""
    sender = Sender(Connection(f"127.0.0.1:{free_port()}", None, token), outbox, 0.0)
    try:
        yield sender
    finally:
        sender.close(0.0)


def test_a_flush_resets_the_backoff() -> None:
    """After 30 failures the delays start from the shortest again."""
    outbox = Paused()
    outbox.enqueue(report("a"))
    for _ in range(30):
        outbox.start_call()
        outbox.on_failure(UNAVAILABLE)
        outbox.has_paused.acquire()
    outbox.pauses.clear()
    with sender_of(outbox) as sender:
        assert not sender.flush(0.0)
        sender.start()
        for _ in range(3):
            assert outbox.has_paused.acquire(timeout=SECONDS_MAX)
    for number, pause in enumerate(outbox.pauses[:3]):
        assert pause.seconds <= BACKOFF_SECONDS_MIN * 2**number


def test_a_flush_cuts_the_delay_short() -> None:
    """The next call is made at once, not after an hour."""
    outbox = Paused(seconds=3_600.0)
    with sender_of(outbox) as sender:
        sender.enqueue(report("a"))
        assert outbox.has_paused.acquire(timeout=SECONDS_MAX)
        assert not sender.flush(0.0)
        assert outbox.has_paused.acquire(timeout=SECONDS_MAX)


def test_a_flush_ends_when_the_sender_stops() -> None:
    """Another thread that waits without a limit learns that its reports are unsent."""
    with sender_of(Paused(seconds=3_600.0)) as sender:
        sender.enqueue(report("a"))
        flushed = sender.start_flush()
        sender.stop()
        assert flushed.result(SECONDS_MAX) is False
        assert sender.flush(None) is False


def test_reports_of_earlier_processes_are_sent_from_the_start(tmp_path: Path) -> None:
    """No report of this process is needed."""
    outbox_with("a", "b", spool=FileSpool(tmp_path)).abandon_unsent()
    outbox = outbox_with(spool=FileSpool(tmp_path))
    with sender_of(outbox) as sender:
        sender.start()
        assert sender.counts.pending == 2


def test_a_call_that_stopping_cancels_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """The log blames no server: its only warning counts the unsent reports."""
    has_stopped = threading.Event()

    def token() -> str:
        sender.stop()
        has_stopped.set()
        raise OSError("cancelled")

    with sender_of(outbox_with(), token) as sender:
        sender.enqueue(report("a"))
        assert has_stopped.wait(SECONDS_MAX)
    assert [message.partition(":")[0] for message in caplog.messages] == ["1 reports are unsent at the end"]
