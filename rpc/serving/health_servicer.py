"""grpc.health.v1, with watchers that cannot slow each other down.

grpcio-health-checking has a servicer too. It writes to a watcher while it holds the lock that the next state
needs, so that one watcher that does not read delays all others, and the drain; and it accepts any number of
watchers.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rpc.answers.handlers import Context
from rpc.answers.refusal import Refusal

WATCHERS_MAX = 2_000
"""A client that watches health does so once per connection: twice the number of workers we are made for.
Anybody who reaches the port may open watches, without a token."""
WATCHERS_RETRY_SECONDS = 30.0
"""Watchers leave when their connections age, which takes minutes."""

Response = health_pb2.HealthCheckResponse


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Answers with the newest state of a name; a watcher gets the newest state when it reads.

    Args:
        states: the first state (HealthCheckResponse.ServingStatus) of each name.

    """

    def __init__(self, states: Mapping[str, int]) -> None:
        self._states = dict(states)
        self._watchers: set[asyncio.Event] = set()
        self._closed = False

    @property
    def watchers(self) -> int:
        """The number of open watches."""
        return len(self._watchers)

    def set(self, name: str, state: int) -> None:
        """Change the state of a name."""
        self._states[name] = state
        self._wake()

    def close(self) -> None:
        """End each watch after its next state is sent; a watch that is not read ends with the server."""
        self._closed = True
        self._wake()

    async def Check(  # noqa: N802  # the protocol's name
        self, request: health_pb2.HealthCheckRequest, _context: Context
    ) -> Response:
        """Answer at once; NOT_FOUND for an unknown name."""
        state = self._states.get(request.service)
        if state is None:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "UNKNOWN_SERVICE", "no such service")
        return Response(status=state)

    async def List(self, _request: Any, _context: Context) -> Any:  # noqa: N802  # the protocol's name
        """Answer the state of each name."""
        messages: Any = health_pb2  # its type stubs are older than this method
        states = {name: Response(status=state) for name, state in self._states.items()}
        return messages.HealthListResponse(statuses=states)

    async def Watch(  # noqa: N802  # the protocol's name
        self, request: health_pb2.HealthCheckRequest, _context: Context
    ) -> AsyncIterator[Response]:
        """Send the state now and whenever it changes; SERVICE_UNKNOWN for an unknown name."""
        sent = None
        with self._watching() as changed:
            while True:
                changed.clear()
                state = self._states.get(request.service, Response.SERVICE_UNKNOWN)
                if state != sent:
                    yield Response(status=state)
                    sent = state
                elif self._closed:
                    return
                else:
                    await changed.wait()

    @contextmanager
    def _watching(self) -> Iterator[asyncio.Event]:
        if self.watchers >= WATCHERS_MAX:
            raise Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "TOO_MANY_WATCHES",
                "too many open watches of this server's health",
                retry_delay_seconds=WATCHERS_RETRY_SECONDS,
            )
        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            yield changed
        finally:
            self._watchers.discard(changed)

    def _wake(self) -> None:
        for changed in self._watchers:
            changed.set()
