"""A channel whose calls are made by another process, for processes in which gRPC does not work.

    process, forked after a call ──┐ control socket: a socket for each call
    its parent, its siblings ──────┴──▶ call process ──▶ gRPC

gRPC does not survive a fork after its first call, and it stops every greenlet of gevent or eventlet while it
waits. The call process is spawned (not forked), so it may be started at any time, and is shared with
the processes that are forked later. It ends when the last of them has ended.
"""

import pickle
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Self

import grpc

from batchprogress._grpc.call_processes import connect, send
from batchprogress.tls import Certificates

GRACE_SECONDS = 10.0
"""How long after its deadline a call ends if the call process does not answer: it may have to start."""

Deserializer = Callable[[bytes], Any]
Serializer = Callable[[Any], bytes]


class RemoteChannel:
    """Makes calls in the call process. It has what the generated stubs and Batch Progress use of a channel.

    Args:
        target: the server.
        options: of the channel.
        certificates: those of the authorities, the key and the certificate, in PEM; None is plaintext.

    """

    def __init__(
        self, target: str, options: tuple[tuple[str, int | str], ...], certificates: Certificates | None
    ) -> None:
        self._channel = (target, options, certificates)
        self._in_flight: set[RemoteCall] = set()
        self._is_closed = False

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer,
        response_deserializer: Deserializer,
        _registered_method: bool = False,  # noqa: FBT001, FBT002  # as grpc.Channel has it
    ) -> Callable[..., Any]:
        """Return a function that makes a call and returns its response."""

        def call(request: Any, **options: Any) -> Any:
            message = request_serializer(request)
            (response,) = self._call("unary_unary", method, message, response_deserializer, options)
            return response

        return call

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer,
        response_deserializer: Deserializer,
        _registered_method: bool = False,  # noqa: FBT001, FBT002  # as grpc.Channel has it
    ) -> "Callable[..., RemoteCall]":
        """Return a function that makes a call and returns an iterator of its responses."""

        def call(request: Any, **options: Any) -> RemoteCall:
            message = request_serializer(request)
            return self._call("unary_stream", method, message, response_deserializer, options)

        return call

    def close(self) -> None:
        """Cancel the calls in flight, and every later one."""
        self._is_closed = True
        for call in list(self._in_flight):
            call.cancel()

    def _call(
        self, kind: str, method: str, message: bytes, deserializer: Deserializer, options: dict[str, Any]
    ) -> "RemoteCall":
        timeout = options.pop("timeout", None)
        request = {
            "kind": kind,
            "channel": self._channel,
            "method": method,
            "message": message,
            "deadline": None if timeout is None else time.monotonic() + timeout,
            "options": options,
        }
        call = RemoteCall(request, deserializer, self._in_flight)
        if self._is_closed:
            call.cancel()
        return call


class RemoteCall:
    """A call that the call process makes; an iterator over its responses, which begins with the first one.

    Args:
        request: what the call process is asked for.
        deserializer: makes a response of bytes.
        in_flight: where the call is until it has ended.

    """

    def __init__(
        self, request: dict[str, Any], deserializer: Deserializer, in_flight: "set[RemoteCall]"
    ) -> None:
        self._request = request
        self._deserializer = deserializer
        self._in_flight = in_flight
        in_flight.add(self)
        self._connection: socket.socket | None = None
        self._is_cancelled = False
        self._initial_metadata: tuple[tuple[str, str | bytes], ...] = ()
        self._responses = self._make()

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> Any:
        """Return the next response.

        Raises:
            grpc.RpcError: the call failed.

        """
        return next(self._responses)

    def initial_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Return the initial metadata of a stream; empty before its first response."""
        return self._initial_metadata

    def cancel(self) -> None:
        """End the call."""
        self._is_cancelled = True
        self._in_flight.discard(self)
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def _make(self) -> Iterator[Any]:
        try:
            with connect() as self._connection:
                for message in self._messages(self._connection):
                    yield None if message is None else self._read(message)
        except TimeoutError:
            raise failed("DEADLINE_EXCEEDED", "the call process does not answer") from None
        except (OSError, EOFError, pickle.UnpicklingError) as error:  # it was killed
            if self._is_cancelled:
                raise failed("CANCELLED", "the call was cancelled") from None
            raise failed("UNAVAILABLE", f"the call process does not work: {error!r}") from None
        finally:
            self._in_flight.discard(self)

    def _messages(self, connection: socket.socket) -> Iterator[bytes | None]:
        deadline = self._request["deadline"]
        seconds_left = None if deadline is None else max(0.0, deadline - time.monotonic()) + GRACE_SECONDS
        connection.settimeout(seconds_left)
        send(connection, self._request)
        if self._is_cancelled:
            raise EOFError
        with connection.makefile("rb") as stream:
            while True:
                kind, content = pickle.load(stream)  # noqa: S301  # our own process wrote it
                if kind == "message":
                    yield content
                elif kind == "metadata":
                    self._initial_metadata = content
                elif content is None:
                    return
                else:
                    raise failed(*content)

    def _read(self, message: bytes) -> Any:
        try:
            return self._deserializer(message)
        except Exception:  # noqa: BLE001  # whatever raises, as grpc has it
            raise failed("INTERNAL", "Exception deserializing response!") from None


def failed(code: str, details: str, trailing: tuple[tuple[str, str | bytes], ...] = ()) -> grpc.RpcError:
    """Return the exception of a call, which gRPC's own asyncio calls raise too."""
    metadata = grpc.aio.Metadata
    return grpc.aio.AioRpcError(grpc.StatusCode[code], metadata(), metadata(*trailing), details)
