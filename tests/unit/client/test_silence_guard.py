"""Waits of threads that take too long are ended by one thread, which looks after all of them."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from batchprogress._calls.silence_guard import SilenceGuard, guard
from batchprogress._grpc.retry import StreamSilent

LONG_SECONDS = 3_600.0
SHORT_SECONDS = 0.02
SECONDS_MAX = 30.0
WAITS = 20


class Cut(Exception):
    """Raised by a wait that was cancelled, as gRPC's calls do."""


def wait(silence: SilenceGuard, seconds: float | None) -> None:
    """Wait until the guard cancels it."""
    cancelled = threading.Event()
    with silence.waiting(cancelled.set, seconds):
        assert cancelled.wait(SECONDS_MAX)
        raise Cut


def guarding() -> set[threading.Thread]:
    """Return the threads of guards; one of an earlier test may still run."""
    return {thread for thread in threading.enumerate() if thread.name == "batchprogress-silence"}


def test_one_thread_ends_the_waits_of_all_threads() -> None:
    """A short wait does not wait behind a long one that began before it."""
    silence, earlier = SilenceGuard(), guarding()
    release = threading.Event()
    with ThreadPoolExecutor(WAITS + 1) as threads:

        def long() -> None:
            with silence.waiting(release.set, LONG_SECONDS):
                assert release.wait(SECONDS_MAX)

        before = threads.submit(long)
        short = [threads.submit(wait, silence, SHORT_SECONDS) for _ in range(WAITS)]
        for one in short:
            with pytest.raises(StreamSilent, match=r"no heartbeat for 0\.02 s"):
                one.result(SECONDS_MAX)
        assert len(guarding() - earlier) == 1
        release.set()
        before.result(SECONDS_MAX)


def test_error_of_a_wait_that_is_not_too_long_stays_as_it_is() -> None:
    with pytest.raises(Cut), SilenceGuard().waiting(lambda: None, LONG_SECONDS):
        raise Cut


def test_forked_child_has_a_guard_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread of its parent does not run there, and its lock may be held for ever."""
    parent = guard()
    assert guard() is parent
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert guard() is not parent
