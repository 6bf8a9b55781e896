"""The server, for one command: asked until it answers, and no longer than the command may wait."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from batchprogress._grpc.connection import Connection
from batchprogress._grpc.retry import RETRIED_CODES, Failure, call_until_answered, failure_of
from batchprogress.cli import cli_errors
from batchprogress.v1 import progress_pb2_grpc

ANSWER_SECONDS_MAX = 10.0
"""By default, of one call: a server that is restarted is back by then, and a person still waits."""
AWAY_SECONDS_MIN = 2.0
"""A connection that is there within it, also on a busy machine, needs no words."""
PAGE_SIZE_MAX = 1_000
"""The contract's."""

Stub: TypeAlias = "progress_pb2_grpc.ProgressServiceAsyncStub"  # known to the type checker only
Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Result = TypeVar("Result")


class Client:
    """Calls methods of ProgressService from a command that waits; raises Complaint."""

    def __init__(self, connection: Connection, seconds_max: float | None) -> None:
        """Take the server, and for how long it may be away; None is as long as it is usual."""
        self.connection = connection
        self.seconds_max = seconds_max
        self._runner = asyncio.Runner()
        self._told = False

    def __enter__(self) -> Self:
        """Open the channel; nothing is connected before the first call."""
        self.channel = self.run(self._open())
        self.stub: Stub = progress_pb2_grpc.ProgressServiceStub(self.channel)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it, and the loop."""
        self.run(self.channel.close())
        self._runner.close()

    @property
    def server(self) -> str:
        """The server's address, for people."""
        return self.connection.target

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine to its end."""
        return self._runner.run(work)

    def call(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]", request: Request
    ) -> Response:
        """Return the answer to a request."""
        return self.run(self._answer(method, request))

    def pages(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[Any, Response]",
        request: Any,
        items_max: int,
    ) -> Iterator[Response]:
        """Yield pages until there are none, or so many items were asked for."""
        while items_max > 0:
            request.page_size = min(items_max, PAGE_SIZE_MAX)
            items_max -= request.page_size
            yield self._page(method, request)
            if not request.page_token:
                return

    def all_pages(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[Any, Response]",
        request: Any,
    ) -> Iterator[Response]:
        """Yield pages until there are none."""
        yield self._page(method, request)
        while request.page_token:
            yield self._page(method, request)

    async def ask_once(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]", request: Request
    ) -> Response | None:
        """Return the answer to a request, None if there is none at once."""
        try:
            return await method(request, timeout=AWAY_SECONDS_MIN, metadata=self.connection.metadata())
        except grpc.aio.AioRpcError:
            return None

    async def complain_when_away(self) -> None:
        """Look after the connection for as long as a stream needs it: say when it is away and when back.

        Raises:
            Complaint: it was away for longer than the command may wait.

        """
        while True:
            try:
                async with asyncio.timeout(self.seconds_max):
                    await self._until_ready()
            except TimeoutError:
                raise cli_errors.away(self.server, self.seconds_max or 0, None) from None
            await self._until(lambda state: state is not grpc.ChannelConnectivity.READY)

    async def _until_ready(self) -> None:
        def ready(state: grpc.ChannelConnectivity) -> bool:
            return state is grpc.ChannelConnectivity.READY

        try:
            async with asyncio.timeout(AWAY_SECONDS_MIN):
                await self._until(ready)
        except TimeoutError:
            self._say(f"waiting for the server at {self.server}")
            await self._until(ready)
            self._say(f"the server at {self.server} answers again")

    async def _until(self, is_right: Callable[[grpc.ChannelConnectivity], bool]) -> None:
        state = self.channel.get_state(try_to_connect=True)
        while not is_right(state):
            await self.channel.wait_for_state_change(state)
            state = self.channel.get_state(try_to_connect=True)

    def _page(self, method: "grpc.aio.UnaryUnaryMultiCallable[Any, Response]", request: Any) -> Response:
        page: Any = self.call(method, request)
        request.page_token = page.next_page_token
        return page  # type: ignore[no-any-return]  # of any method that has pages

    async def _open(self) -> grpc.aio.Channel:
        return self.connection.open_async()

    async def _answer(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]", request: Request
    ) -> Response:
        last: Failure | None = None

        async def try_once(
            request: Request,
            /,
            *,
            timeout: float | None = None,  # noqa: ASYNC109  # as a stub has it
            wait_for_ready: bool | None = None,  # noqa: ARG001  # as above
        ) -> Response:
            nonlocal last
            try:
                # Not wait_for_ready: a server that is away is told with its reason.
                return await method(request, timeout=timeout, metadata=self.connection.metadata())
            except grpc.aio.AioRpcError as error:
                last = failure_of(error)
                if last.code in RETRIED_CODES:
                    self._say_once(f"waiting for the server at {self.server} ({cli_errors.reason_of(last)})")
                raise

        seconds_max = self.seconds_max or ANSWER_SECONDS_MAX
        # A server that hangs gives no reason at all.
        notice = asyncio.get_running_loop().call_later(
            AWAY_SECONDS_MIN, self._say_once, f"waiting for the server at {self.server}"
        )
        try:
            async with asyncio.timeout(seconds_max):
                return await call_until_answered(try_once, request)
        except TimeoutError:
            raise cli_errors.away(self.server, seconds_max, last) from None
        except grpc.aio.AioRpcError as error:
            raise cli_errors.refused(failure_of(error), self.server) from error
        finally:
            notice.cancel()

    def _say_once(self, sentence: str) -> None:
        if not self._told:
            self._told = True
            self._say(sentence)

    def _say(self, sentence: str) -> None:
        print(f"batchprogress: {sentence}", file=sys.stderr, flush=True)  # noqa: T201  # not the answer: a word to people
