"""The event loop of the progress server."""

import asyncio
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import pytest

from process import event_loop

EVENTS = 100


class PollerCompletionQueue:
    """Reads as gRPC's class of this name does: all events that are there, but one byte."""

    def __init__(self, wake_ups: socket.socket) -> None:
        self._wake_ups = wake_ups
        self.times_called = 0

    def handle_events(self, _loop: asyncio.AbstractEventLoop) -> None:
        """Read one byte."""
        assert len(self._wake_ups.recv(1)) == 1
        self.times_called += 1


def test_program_runs_on_uvloop_if_it_is_installed() -> None:
    uvloop = pytest.importorskip("uvloop", reason="it has no wheels for every platform")
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())

    event_loop.run(main())
    assert isinstance(loops[0], uvloop.Loop)


def test_program_runs_on_asyncios_own_loop_without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)  # as if it were not installed
    loop = event_loop.new_event_loop()
    assert isinstance(loop, asyncio.SelectorEventLoop)
    loop.close()


@pytest.mark.parametrize("with_uvloop", [True, False], ids=["uvloop", "asyncio"])
def test_events_of_grpc_are_handled_in_one_turn(
    *, with_uvloop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a server with many watches handles one event a turn, and new calls wait behind all."""
    if not with_uvloop:
        monkeypatch.setitem(sys.modules, "uvloop", None)
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    queue = PollerCompletionQueue(ours)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(EVENTS):
            theirs.send(b"1")
        loop.add_reader(ours, partial(queue.handle_events, loop))
        while not queue.times_called:  # noqa: ASYNC110  # one turn of the event loop after the other
            await asyncio.sleep(0)
        loop.remove_reader(ours)
        with pytest.raises(BlockingIOError):
            ours.recv(1)

    with ours, theirs:
        event_loop.run(main())
    assert queue.times_called == 1


def test_reader_of_grpc_is_known() -> None:
    """Its name is gRPC's own business, and may change."""
    readers: list[bool] = []

    class Loop(asyncio.SelectorEventLoop):
        def add_reader(  # type: ignore[override]
            self, fd: Any, callback: Callable[..., Any], *args: Any
        ) -> None:
            readers.append(event_loop.is_of_grpc(callback))
            super().add_reader(fd, callback, *args)

    async def main() -> None:
        async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
            channel.get_state()

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())
    assert readers == [True]
