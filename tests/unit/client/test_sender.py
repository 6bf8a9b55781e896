"""What the sending thread does while its server is unavailable."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchprogress._grpc.connection import Connection, Token
from batchprogress._grpc.retry import BACKOFF_SECONDS_MIN, Failure
from batchprogress._reporting.buffer import Buffer
from batchprogress._reporting.call_pace import Pause
from batchprogress._reporting.cancelled_batches import CancelledBatches
from batchprogress._reporting.once_log import OnceLog
from batchprogress._reporting.outbox import Outbox
from batchprogress._reporting.sender import Sender
from batchprogress._reporting.spool import FileSpool
from database_servers.ports import free_port
from tests.support.eventually import eventually
from tests.unit.client.reports import UNAVAILABLE, outbox_with, report
from tests.unit.client.test_spool import spool_of_ended_process

SECONDS_MAX = 10.0
"""A test that waits longer waits for something that will not happen."""


class Paused(Outbox):
    """An outbox that records its pauses, or replaces each by a longer one."""

    def __init__(self, seconds: float | None = None) -> None:
        super().__init__(Buffer(), OnceLog("test:1"), time.monotonic, CancelledBatches())
        self._seconds = seconds
        self.pauses: list[Pause] = []
        self.has_paused = threading.Semaphore(0)

    def on_failure(self, failure: Failure) -> Pause:
        """Record the pause."""
        self.pauses.append(super().on_failure(failure))
        self.has_paused.release()
        return self.pauses[-1] if self._seconds is None else Pause(self._seconds)


@contextmanager
def sender_of(outbox: Outbox, token: Token | None = None, spool: FileSpool | None = None) -> Iterator[Sender]:
    """Return a sender whose server refuses connections."""
    sender = Sender(Connection(f"127.0.0.1:{free_port()}", None, token), outbox, 0.0, spool)
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


async def test_reports_of_earlier_processes_are_sent_from_the_start(tmp_path: Path) -> None:
    """No report of this process is needed, and a flush waits for them."""
    spool_of_ended_process(tmp_path, "a", "b")
    with sender_of(outbox_with(), spool=FileSpool(tmp_path)) as sender:
        sender.start()
        assert not sender.flush(0.0)
        await eventually(lambda: sender.counts.pending == 2)


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


class Handler(logging.Handler):
    """Does something of the user's with each line."""

    def __init__(self, handle: Callable[[], object]) -> None:
        super().__init__()
        self._handle = handle

    def emit(self, _record: logging.LogRecord) -> None:
        """Do it, with the lock of the handler held."""
        self._handle()


@contextmanager
def handler(handle: Callable[[], object]) -> Iterator[None]:
    """Call a function at each line of the reporter's."""
    added = Handler(handle)
    logger = logging.getLogger("batchprogress")
    logger.addHandler(added)
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(added)


def test_a_log_handler_that_blocks_delays_no_report() -> None:
    """It blocks only the thread that sends."""
    is_logging, may_go_on = threading.Event(), threading.Event()

    def block() -> None:
        is_logging.set()
        assert may_go_on.wait(SECONDS_MAX)

    with sender_of(Paused()) as sender, handler(block):
        sender.enqueue(report("a"))
        assert is_logging.wait(SECONDS_MAX), "the server does not answer"
        reporting = threading.Thread(target=sender.enqueue, args=[report("b")])
        reporting.start()
        reporting.join(SECONDS_MAX / 2)
        was_blocked = reporting.is_alive()
        may_go_on.set()
        reporting.join()
        assert not was_blocked


def test_a_log_handler_that_reports_does_not_deadlock() -> None:
    """Two threads log at the same time, each through a handler that reports."""
    outbox = Paused()
    with sender_of(outbox) as sender, handler(lambda: sender.enqueue(report("logged"))):
        threads = [
            threading.Thread(target=lambda: sender.drop("FULL", "no room"), daemon=True) for _ in range(8)
        ]
        sender.enqueue(report("a"))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS_MAX)
        assert not any(thread.is_alive() for thread in threads)
        assert outbox.has_paused.acquire(timeout=SECONDS_MAX)


def test_a_log_handler_that_raises_ends_no_thread() -> None:
    """The sender tries again."""

    def fail() -> None:
        raise OSError("the log's disk is full")

    outbox = Paused()
    with sender_of(outbox) as sender, handler(fail):
        sender.enqueue(report("a"))
        for _ in range(2):
            assert outbox.has_paused.acquire(timeout=SECONDS_MAX)
