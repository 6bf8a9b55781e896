"""Watches of the progress server, opened with the gateway's own token."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.message import Message

from services.gateway.contract.answers import Answer, busy
from services.gateway.contract.caller import Callers
from services.gateway.contract.forwarding import failed_call
from services.gateway.contract.methods import Method
from services.gateway.contract.upstream import Upstream, announced_heartbeats
from services.gateway.live.problems import Problem, away

HEARTBEAT_SECONDS = 5
"""A batch is read after this long without a change: its rate fades, and it may have stalled."""
SILENT_SECONDS_MAX = 3.0 * HEARTBEAT_SECONDS
"""A watch that has announced heartbeats is dead after three intervals without one."""
OPENED_SECONDS_MAX = 10.0
"""How long the server may take until it has accepted a watch: it does so at once."""
READS_MAX = 32
"""Reads of each source at a time: each takes milliseconds, and after a restart each viewer may cause one."""

FINAL = frozenset(
    {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION}
)
"""Answers that another try does not change."""


class Watches:
    """Opens watches, and says why they have ended.

    Args:
        upstream: the connections to the server.
        callers: has the gateway's own token.

    """

    def __init__(self, upstream: Upstream, callers: Callers) -> None:
        self._upstream = upstream
        self._callers = callers

    async def responses(self, method: Method, request: Message) -> AsyncGenerator[Any, None]:
        """Yield the responses of a watch, and an empty one when it is accepted.

        Args:
            method: WatchBatch or WatchBatches.
            request: its request, with HEARTBEAT_SECONDS as the interval of heartbeats.

        Raises:
            Problem: the watch cannot be opened, or was cut.

        """
        with self.problems(), self._upstream.stream(method.path) as open_stream:
            call = open_stream(request.SerializeToString(), metadata=self._callers.own_metadata())
            try:
                async with asyncio.timeout(OPENED_SECONDS_MAX):
                    has_heartbeats = bool(await announced_heartbeats(call))
                yield method.response()
                while True:
                    async with asyncio.timeout(SILENT_SECONDS_MAX if has_heartbeats else None):
                        response: Any = await call.read()
                    if response is grpc.aio.EOF:
                        return
                    yield method.response.FromString(response)
            finally:
                call.cancel()

    @contextmanager
    def problems(self) -> Iterator[None]:
        """Translate the failure of a call that the gateway makes for itself; raises Problem."""
        try:
            yield
        except grpc.aio.AioRpcError as error:
            raise self._problem(failed_call(error, self._upstream)) from None
        except Answer as answer:
            raise self._problem(answer) from None
        except TimeoutError:
            raise away() from None

    def _problem(self, answer: Answer) -> Problem:
        """Return what viewers are told: that the gateway is refused is not their fault."""
        # A cut connection is opened again at once; only a server that answers may ask for more time.
        retry_seconds = float(answer.retry_after or 0) if answer.is_from_server else 0.0
        match answer.grpc_code:
            case code if code in FINAL:
                return Problem(answer, is_final=True)
            case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
                return Problem(self._callers.own_token_refused(answer.message))
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                answer = busy("the progress server has too many calls of this gateway; try again")
        return Problem(answer, retry_seconds=retry_seconds)
