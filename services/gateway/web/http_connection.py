"""An HTTP connection of uvicorn that its client can neither hold nor fill without bound.

uvicorn limits only the time between two requests: once the first byte of a request has arrived, it waits for
the rest for ever, and for ever for a client that does not read its answer.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from services.dashboard.headers import SecurityHeaders
from services.dashboard.places import NoPlace, Places

IDLE_SECONDS_MAX = 75
"""How long a connection may be open without a request: longer than nginx keeps one to use it again (60 s), so
that the proxy closes first and never sends a request into a connection that is just being closed."""
REQUEST_SECONDS_MAX = 10.0
"""How long a request may take from its first byte to its last: pages send a few hundred bytes."""
REQUEST_BYTES_MAX = 64 * 1024
"""The size of a request with its headers and body, and of what a client sends before it is answered. A page
sends less than 8 KiB: nobody asks with a body."""
UNREAD_SECONDS_MAX = 30.0
"""How long bytes may wait for a client to read them."""
ALWAYS_ANSWERED = frozenset({"/health"})
"""Answered without a place: a probe that fails because of strangers would restart the process."""
RETRY_SECONDS = "2"
FULL = "The dashboard has too many connections."


class HttpConnection(H11Protocol):
    """A connection that is cut when its client takes too long, sends too much or does not read.

    Args:
        config: uvicorn's.
        server_state: uvicorn's.
        app_state: uvicorn's.
        places: the places of all connections.
        _loop: the event loop.

    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        places: Places,
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._dashboard: ASGIApp = self.app
        self.app = self._answer
        self._places = places
        self._received_bytes = 0
        """Bytes since the last answer; 0 between two requests."""
        self._timer: asyncio.TimerHandle | None = None
        """Cuts a client that does not send."""
        self._unread_timer: asyncio.TimerHandle | None = None
        """Cuts a client that does not read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Take a place."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # pause_writing: as soon as bytes wait for the client
        self._cut_after(IDLE_SECONDS_MAX)
        self._places.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._places.leave(self)
        self._stop_timer()
        self._stop_unread_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request; cut the connection if it is too much."""
        is_first = not self._received_bytes
        self._received_bytes += len(data)
        if self._received_bytes > REQUEST_BYTES_MAX:
            self.cut()
            return
        super().data_received(data)
        if self.cycle and not self.cycle.more_body and not self.cycle.response_complete:
            self._stop_timer()  # the request is complete
        elif is_first:
            self._cut_after(REQUEST_SECONDS_MAX)

    def on_response_complete(self) -> None:
        """Wait for the next request, for as long as uvicorn's Config says."""
        self._received_bytes = 0
        if self.cycle.more_body:  # uvicorn would read the rest of a request that is already answered
            self.transport.close()
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
        if scope["path"] in ALWAYS_ANSWERED:
            await self._dashboard(scope, receive, send)
            return
        try:
            with self._places.answering(self):
                await self._dashboard(scope, receive, send)
        except NoPlace:
            await _REFUSAL(scope, receive, send)


_REFUSAL = SecurityHeaders(
    JSONResponse(
        {"message": FULL},
        HTTPStatus.SERVICE_UNAVAILABLE,
        {"Retry-After": RETRY_SECONDS, "Connection": "close", "Cache-Control": "no-store"},
    )
)
