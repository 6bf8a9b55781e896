"""The event loop of a program that spends most of its time in it."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

WAKE_UPS_BYTES_MAX = 2**16
"""More than the socket holds: some 280 bytes, which are a skb each."""


class GrpcReadable:
    """A part of an event loop that handles all events of gRPC in one turn.

    gRPC's thread writes a byte into a socket for each event, and waits while some 280 are unread. gRPC's
    reader handles all events that are there, but reads one byte. So the thread of a server that has more than
    one event in a turn soon waits for each turn, and a new call waits behind every message to thousands of
    watchers.
    """

    def add_reader(self, fd: Any, callback: Callable[..., object], *args: Any) -> Any:
        """Add a reader; before gRPC's, all bytes but one are read."""
        if is_of_grpc(callback):
            callback = partial(_after_wake_ups, fd, callback)
        return super().add_reader(fd, callback, *args)  # type: ignore[misc]  # of the other base


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a program to its end, on uvloop if it is installed: a report then takes an eighth less CPU."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop of uvloop, or asyncio's own if it is not installed."""
    loop: asyncio.AbstractEventLoop = type("EventLoop", (GrpcReadable, _base_loop()), {})()
    return loop


def _base_loop() -> type[asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415  # an extra, which may not be installed
    except ImportError:
        return asyncio.SelectorEventLoop
    return uvloop.Loop


def is_of_grpc(callback: Any) -> bool:
    """Return whether gRPC reads its events with this callback."""
    queue = getattr(getattr(callback, "func", None), "__self__", None)
    return type(queue).__name__ == "PollerCompletionQueue"


def _after_wake_ups(wake_ups: socket.socket, callback: Callable[..., object], *args: Any) -> None:
    """Leave the one byte that gRPC's reader reads."""
    unread = len(wake_ups.recv(WAKE_UPS_BYTES_MAX, socket.MSG_PEEK))
    if unread > 1:
        wake_ups.recv(unread - 1)
    callback(*args)
