"""An HTTP connection of uvicorn that its client can neither hold nor fill without bound.

uvicorn limits only the time between two requests: once the first byte of a request has arrived, it waits for
the rest for ever, and for ever for a client that does not read its answer.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httptools
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from services.gateway.web.places import NoPlace, Places

IDLE_SECONDS_MAX = 75
"""How long a connection may be open without a request: longer than nginx keeps one to use it again (60 s), so
that the proxy closes first and never sends a request into a connection that is just being closed."""
REQUEST_SECONDS_MAX = 10.0
"""How long a request may take from its first byte to its last: pages send a few hundred bytes."""
REQUEST_BYTES_MAX = 64 * 1024
"""The size of a request with its headers, and of what a client sends before it is answered. A page sends less
than 8 KiB: nobody asks with a body."""
RECEIVED_AT_ONCE_BYTES_MAX = 256 * 1024
"""What asyncio receives at a time. A body may be so much larger than allowed before its connection is cut, so
that the application sees it and can say so."""
LINGER_SECONDS_MAX = 5.0
"""How long the rest of a request that is already answered is read and dropped. If the connection were closed
at once, the kernel would drop the answer, too, before a client that still sends could read it."""
LINGER_BYTES_MAX = 16 * 1024 * 1024
"""How much of it: four times the largest call."""
UNREAD_SECONDS_MAX = 30.0
"""How long bytes may wait for a client to read them."""
CONNECTION = "batchprogress.connection"
"""The name of the HttpConnection in the extensions of a scope."""
PIPELINED_MAX = 8
"""Requests that a client may send before it has the answer to the first one. Hardly any client does, and each
takes some KiB, while a request may have 20 bytes."""
ALWAYS_ANSWERED = frozenset({"/health"})
"""Answered without a place: a probe that fails because of strangers would restart the process."""


@dataclass(frozen=True, slots=True)
class ConnectionRules:
    """What is the same for all connections of a server."""

    places: Places
    """The places of all connections."""
    full: ASGIApp
    """Answers a request for which there is no place."""
    body_bytes_max: int = 0
    """The size of a request's body, besides REQUEST_BYTES_MAX."""
    request_seconds_max: float | None = None
    """How long a request may take; None: REQUEST_SECONDS_MAX."""


class TooMuch(Exception):
    """A client sends more than it may. The parser stops, and uvicorn answers 400."""


class HttpConnection(HttpToolsProtocol):
    """A connection that is cut when its client takes too long, sends too much or does not read.

    Args:
        config: uvicorn's.
        server_state: uvicorn's.
        app_state: uvicorn's.
        rules: what is the same for all connections.
        _loop: the event loop.

    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        rules: ConnectionRules,
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._served: ASGIApp = self.app
        self.app = self._answer
        self._rules = rules
        self._places = rules.places
        self._received_bytes = 0
        """Bytes since the last answer; 0 between two requests."""
        self._head_bytes: int | None = None
        """Bytes of headers; None: they are complete."""
        self._fed = b""
        """What the parser has been given last."""
        self._is_lingering = False
        """Whether the last request is answered, and the rest of it is dropped."""
        self.is_open = True
        self.when_lost: Callable[[], object] | None = None
        """Called if the connection is lost. An application that sets it need not wait for http.disconnect."""
        self._timer: asyncio.TimerHandle | None = None
        """Cuts a client that does not send."""
        self._unread_timer: asyncio.TimerHandle | None = None
        """Cuts a client that does not read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Take a place."""
        super().connection_made(transport)
        # pause_writing: as soon as bytes wait for the client. asyncio's TLS pauses for ever at a limit of 0.
        transport.set_write_buffer_limits(high=0 if transport.get_extra_info("sslcontext") is None else 1)
        self._cut_after(IDLE_SECONDS_MAX)
        self._places.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self.is_open = False
        if self.when_lost is not None:
            self.when_lost()
        self._places.leave(self)
        self._stop_timer()
        self._stop_unread_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request; cut the connection if it is too much."""
        is_first = not self._received_bytes
        self._received_bytes += len(data)
        if self._received_bytes > self._bytes_max:
            self.cut()
            return
        if self._is_lingering:
            return
        self._feed(data)
        if self.cycle and not self.cycle.more_body and not self.cycle.response_complete:
            self._stop_timer()  # the request is complete
        elif is_first:
            self._limit_rest()

    def handle_websocket_upgrade(self) -> None:
        """Read a request again without its offer to speak another protocol.

        Java's client makes it with its first request. The parser takes the body for that protocol.
        """
        read_bytes = _read_bytes(sys.exc_info()[1])
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            self.send_400_response("This is no proxy.")
            return
        lines = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        head = b"\r\n".join([method + b" " + self.url + b" HTTP/" + version.encode(), *lines, b"", b""])
        self.parser = httptools.HttpRequestParser(self)
        self._feed(head + self._fed[read_bytes:])

    def on_message_begin(self) -> None:
        """Begin a request."""
        if len(self.pipeline) >= PIPELINED_MAX:
            raise TooMuch
        self._head_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; those after the body are ignored."""
        if self._head_bytes is None:
            return
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > REQUEST_BYTES_MAX:
            raise TooMuch
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._head_bytes = None
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, for as long as uvicorn's Config says."""
        self._received_bytes = 0
        if self.pipeline:
            super().on_response_complete()
            if self.cycle.more_body:  # the rest of the last one
                self._limit_rest()
        elif self.cycle.more_body:  # uvicorn would keep the rest of a request that is already answered
            self._linger()
        else:
            super().on_response_complete()

    def pause_writing(self) -> None:
        """Wait for a client that has not read everything."""
        super().pause_writing()
        self._unread_timer = self.loop.call_later(UNREAD_SECONDS_MAX, self.cut)

    def resume_writing(self) -> None:
        """Go on: the client has read everything."""
        super().resume_writing()
        self._stop_unread_timer()

    def cut(self) -> None:
        """Close the connection without sending what waits."""
        self.transport.abort()

    def _feed(self, data: bytes) -> None:
        self._fed = data
        super().data_received(data)

    def _should_upgrade(self) -> bool:
        """Let handle_websocket_upgrade see every offer."""
        return True

    @property
    def _bytes_max(self) -> int:
        if self._is_lingering:
            return LINGER_BYTES_MAX
        body = self._rules.body_bytes_max
        return REQUEST_BYTES_MAX + (body and body + RECEIVED_AT_ONCE_BYTES_MAX)

    def _linger(self) -> None:
        self._is_lingering = True
        self.flow.resume_reading()
        if self.transport.can_write_eof():  # not with TLS
            self.transport.write_eof()
        self._cut_after(LINGER_SECONDS_MAX)

    def _limit_rest(self) -> None:
        """Limit the time of the rest of a request."""
        self._cut_after(self._rules.request_seconds_max or REQUEST_SECONDS_MAX)

    def _cut_after(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self.cut)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _stop_unread_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say that there is no place for the answer."""
        scope["extensions"] = {CONNECTION: self}
        if scope["path"] in ALWAYS_ANSWERED:
            await self._served(scope, receive, send)
            return
        try:
            with self._places.answering(self):
                await self._served(scope, receive, send)
        except NoPlace:
            await self._rules.full(scope, receive, send)


def _read_bytes(error: BaseException | None) -> int:
    """Return how much of its data a parser has read when it met an offer to upgrade."""
    if not isinstance(error, httptools.HttpParserUpgrade):
        raise TypeError("no offer to upgrade is being handled")
    return int(error.args[0])
