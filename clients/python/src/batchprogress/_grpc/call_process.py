"""The process that makes gRPC calls for processes that cannot; see remote_channel.

It is run by its path, with grpcio and nothing else of this package, so that it starts fast. Each call has a
socket of its own, which arrives on the control socket (descriptor 0). The caller cancels a call by closing
its socket, and ends this process by closing the control socket.
"""

import functools
import itertools
import os
import pickle
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRWPair
from typing import Any

import grpc

CONTROL_DESCRIPTOR = 0
CHANNELS_MAX = 128
"""Each server has one, and one for every STREAMS_PER_CHANNEL_MAX watches, and more once its certificates were
renewed; the least recently used is closed when its last call has ended."""
STREAMS_PER_CHANNEL_MAX = 64
"""As in channels.py: proxies allow 100 calls or more on a connection."""

_streams: Counter[tuple[Any, int]] = Counter()
"""How many streams there are on each channel."""
_streams_lock = threading.Lock()


def main() -> None:
    """Serve calls until every process has closed the control socket."""
    control = socket.socket(fileno=CONTROL_DESCRIPTOR)
    control.settimeout(None)  # a socket of gevent or eventlet does not block
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            os._exit(0)  # calls in flight are nobody's any more
        for descriptor in descriptors:  # none if it is only a question, or if this process may open no more
            connection = socket.socket(fileno=descriptor)
            connection.settimeout(None)
            with suppress(RuntimeError):  # no more threads: the caller sees that its socket is closed
                threading.Thread(target=_serve, args=[connection], daemon=True).start()
            del connection


def _serve(connection: socket.socket) -> None:
    with (
        suppress(OSError, EOFError, pickle.UnpicklingError),
        connection,
        connection.makefile("rwb") as stream,
    ):
        request: dict[str, Any] = pickle.load(stream)  # noqa: S301  # of a process that we belong to
        end = None
        try:
            for part in _make(request, connection):
                _answer(stream, *part)
        except Exception as error:  # noqa: BLE001  # the caller gets it as it would in its own process
            end = _status_of(error)
        _answer(stream, "end", end)


def _make(request: dict[str, Any], connection: socket.socket) -> Iterator[tuple[str, Any]]:
    """Make a call and yield its messages, and before those of a stream its initial metadata."""
    kind, deadline = request["kind"], request["deadline"]
    timeout = None if deadline is None else deadline - time.monotonic()
    metadata = None
    with _reserved(kind, request["channel"]) as number:
        method: Any = getattr(_channel(number, *request["channel"]), kind)(request["method"])
        start = method.future if kind == "unary_unary" else method
        call = start(request["message"], timeout=timeout, **request["options"])
        try:
            threading.Thread(target=_cancel_at_end, args=[connection, call], daemon=True).start()
            if kind == "unary_unary":
                yield "message", call.result()
                return
            for message in call:
                if metadata is None:
                    metadata = tuple((key, value) for key, value in call.initial_metadata())
                    yield "metadata", metadata
                yield "message", message
        finally:
            call.cancel()
            connection.shutdown(socket.SHUT_RD)  # ends that thread


@contextmanager
def _reserved(kind: str, channel: Any) -> Iterator[int]:
    """Yield the number of the channel of a call: 0 of unary ones, the first with room of a stream."""
    if kind == "unary_unary":
        yield 0
        return
    with _streams_lock:
        numbers = itertools.count(1)
        number = next(one for one in numbers if _streams[channel, one] < STREAMS_PER_CHANNEL_MAX)
        _streams[channel, number] += 1
    try:
        yield number
    finally:
        with _streams_lock:
            _streams[channel, number] -= 1
            if not _streams[channel, number]:
                del _streams[channel, number]


@functools.lru_cache(CHANNELS_MAX)
def _channel(
    _number: int,
    target: str,
    options: tuple[tuple[str, int | str], ...],
    certificates: tuple[bytes | None, bytes | None, bytes | None] | None,
) -> grpc.Channel:
    """Return the channel that all callers share. gRPC closes one that is neither here nor in use."""
    if certificates is None:
        return grpc.insecure_channel(target, options)
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(*certificates), options)


def _cancel_at_end(connection: socket.socket, call: Any) -> None:
    """Cancel a call when its caller closes the socket."""
    with suppress(OSError):
        connection.recv(1)
    call.cancel()


def _answer(stream: BufferedRWPair, kind: str, content: object) -> None:
    pickle.dump((kind, content), stream)
    stream.flush()


def _status_of(error: Exception) -> tuple[str, str, tuple[tuple[str, str | bytes], ...]]:
    if isinstance(error, grpc.FutureCancelledError):
        return grpc.StatusCode.CANCELLED.name, "cancelled", ()
    if not isinstance(error, grpc.Call):
        return grpc.StatusCode.UNKNOWN.name, f"{type(error).__name__}: {error}", ()
    trailing = tuple((key, value) for key, value in error.trailing_metadata() or ())
    return error.code().name, error.details() or "", trailing


if __name__ == "__main__":
    main()
