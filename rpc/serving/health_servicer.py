"""grpc.health.v1 as the protocol has it, with watchers that cost nobody anything but themselves.

grpcio-health-checking has a servicer too. It writes to a watcher under the lock that the next
state needs, so that one watcher who takes nothing holds up all the others, and the drain; and
it lets in as many watchers as there are.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rpc.answers.handlers import Context
from rpc.answers.refusal import Refusal

WATCHERS_MAX = 2_000
"""A client that minds health holds one for each connection: twice the workers we are made for. Whoever
reaches the port may open them, without a token."""
WATCHERS_RETRY_SECONDS = 30.0
"""Watchers leave when connections age: in minutes."""

Response = health_pb2.HealthCheckResponse


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Answers with the newest state of each name, and tells it to watchers when they take it."""

    def __init__(self, states: Mapping[str, int]) -> None:
        """Take the names that are served, with their first states (HealthCheckResponse.ServingStatus)."""
        self._states = dict(states)
        self._watchers: set[asyncio.Event] = set()
        self._closed = False

    @property
    def watchers(self) -> int:
        """How many there are."""
        return len(self._watchers)

    def set(self, name: str, state: int) -> None:
        """Change the state of a name."""
        self._states[name] = state
        self._wake()

    def close(self) -> None:
        """End each watch once it has told the state of now; who takes nothing ends with the stop's grace."""
        self._closed = True
        self._wake()

    async def Check(  # noqa: N802  # the protocol's name
        self, request: health_pb2.HealthCheckRequest, _context: Context
    ) -> Response:
        """Answer at once; NOT_FOUND for a name that is not served."""
        state = self._states.get(request.service)
        if state is None:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "UNKNOWN_SERVICE", "no such service")
        return Response(status=state)

    async def Watch(  # noqa: N802  # the protocol's name
        self, request: health_pb2.HealthCheckRequest, _context: Context
    ) -> AsyncIterator[Response]:
        """Tell the state now and whenever it is another; a name that is not served is SERVICE_UNKNOWN."""
        told = None
        with self._watching() as changed:
            while True:
                changed.clear()
                state = self._states.get(request.service, Response.SERVICE_UNKNOWN)
                if state != told:
                    yield Response(status=state)
                    told = state
                elif self._closed:
                    return
                else:
                    await changed.wait()

    @contextmanager
    def _watching(self) -> Iterator[asyncio.Event]:
        if self.watchers >= WATCHERS_MAX:
            message = "as many watch this server's health as may"
            raise Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "TOO_MANY_WATCHES",
                message,
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
