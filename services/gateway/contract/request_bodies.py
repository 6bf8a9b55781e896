"""Bounds the bodies of requests, each and all together, while they are read."""

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rpc.answers.request_checks import MESSAGE_BYTES_MAX, SMALL_MESSAGE_BYTES_MAX
from services.gateway.contract.answers import busy, too_large

ENVELOPE_BYTES = 5
"""What streaming and gRPC-Web put before a message."""
BODY_BYTES_MAX = MESSAGE_BYTES_MAX + ENVELOPE_BYTES
LARGE_BODIES_BYTES_MAX = 32 * 1024 * 1024
"""All large bodies together: eight of the largest. Each takes five times its size until its answer."""


class RequestBodies:
    """Refuses a body that is too large, and large bodies for which there is no room.

    Args:
        app: an application of connectrpc, which answers what `receive` raises.

    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application with a bounded body."""
        body = _Body(self, receive, _declared_bytes(scope))
        try:
            await self._app(scope, body.receive, send)
        finally:
            self._held_bytes -= body.held_bytes

    def hold(self, size: int) -> None:
        """Make room for bytes of large bodies.

        Raises:
            Answer: there is no room.

        """
        if self._held_bytes + size > LARGE_BODIES_BYTES_MAX:
            raise busy("this gateway has too many large requests; try again")
        self._held_bytes += size


class _Body:
    def __init__(self, bodies: RequestBodies, receive: Receive, declared_bytes: int) -> None:
        self._bodies = bodies
        self._receive = receive
        self._declared_bytes = declared_bytes
        self._received_bytes = 0
        self.held_bytes = 0

    async def receive(self) -> Message:
        """Return the next part of the body."""
        self._admit(self._declared_bytes)  # before the client is told to go on sending
        message: dict[str, Any] = dict(await self._receive())
        self._received_bytes += len(message.get("body", b""))
        self._admit(self._received_bytes)
        return message

    def _admit(self, size: int) -> None:
        if size > BODY_BYTES_MAX:
            raise too_large()
        if size > SMALL_MESSAGE_BYTES_MAX and size > self.held_bytes:
            self._bodies.hold(size - self.held_bytes)
            self.held_bytes = size


def _declared_bytes(scope: Scope) -> int:
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(length) if length.isdigit() else 0
