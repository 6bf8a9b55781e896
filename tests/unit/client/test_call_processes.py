"""How a process reaches the call process that it has started."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from batchprogress._grpc import call_processes

SECONDS_MAX = 10.0
CHUNK = bytes(65_536)


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Return the other end of a control socket that nobody reads, as if the call process were stopped."""
    ours, theirs = socket.socketpair()
    ours.settimeout(0.0)
    with suppress(BlockingIOError):
        while ours.send(CHUNK):
            pass
    ours.settimeout(0.01)
    theirs.settimeout(SECONDS_MAX)
    monkeypatch.setattr(call_processes, "_control", ours)
    with ours, theirs:
        yield theirs


def test_a_stopped_call_process_is_replaced_and_ends_once_it_is_continued(stopped: socket.socket) -> None:
    """It ends when the last control socket is closed: one that stays open would keep it for ever."""
    call_processes.start()
    replacement = call_processes._control  # noqa: SLF001
    assert replacement is not None
    with replacement:
        while stopped.recv(len(CHUNK)):
            pass
