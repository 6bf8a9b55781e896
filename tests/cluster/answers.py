"""How a server answered reports: how often UNAVAILABLE, and how long it acknowledged none."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

REPORT = b"/ReportJobResult"


class Answers:
    """The answers of one server, or of all; durations are in seconds."""

    def __init__(self) -> None:
        self.calls = 0
        self.unavailable = 0
        self.longest = 0.0
        """The longest time without an acknowledgement; 0 if it was not measured."""
        self._last: float | None = None
        self._acknowledged = asyncio.Event()

    def begin(self) -> None:
        """Count the time from now on."""
        self.longest = 0.0
        self._last = asyncio.get_running_loop().time()

    def end(self) -> None:
        """Count the time since the last acknowledgement, too, and no later time."""
        self._pass()
        self._last = None

    def add(self, code: grpc.StatusCode) -> None:
        """Count an answer."""
        self.calls += 1
        self.unavailable += code is grpc.StatusCode.UNAVAILABLE
        if code is grpc.StatusCode.OK:
            self._pass()
            self._acknowledged.set()

    async def next_acknowledgement(self) -> None:
        """Wait until the server acknowledges a report."""
        self._acknowledged.clear()
        await self._acknowledged.wait()

    def _pass(self) -> None:
        if self._last is not None:
            now = asyncio.get_running_loop().time()
            self.longest = max(self.longest, now - self._last)
            self._last = now


class Observer(grpc.aio.UnaryUnaryClientInterceptor):
    """Adds each answer to a report to the answers of its server and of all.

    Args:
        answers: Where to add it.

    """

    def __init__(self, *answers: Answers) -> None:
        self._answers = answers

    async def intercept_unary_unary(
        self,
        continuation: Callable[
            [grpc.aio.ClientCallDetails, Any], Awaitable[grpc.aio.UnaryUnaryCall[Any, Any]]
        ],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> grpc.aio.UnaryUnaryCall[Any, Any]:
        """Wait for the answer, and add it."""
        call = await continuation(client_call_details, request)
        method = client_call_details.method
        if (method if isinstance(method, bytes) else str(method).encode()).endswith(REPORT):
            code = await call.code()
            for one in self._answers:
                one.add(code)
        return call
