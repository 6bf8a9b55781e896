"""The clients of the commands: they say that they wait for the server."""

import asyncio
import threading

import grpc
import typer

from batchprogress._calls.async_caller import AsyncCaller
from batchprogress._calls.attempts import CALL_SECONDS_MAX, Patience
from batchprogress._calls.call_errors import cause_of
from batchprogress._calls.caller import Caller
from batchprogress._calls.requests import Answer, Call
from batchprogress._grpc.connection import Connection
from batchprogress._grpc.retry import failure_of
from batchprogress.async_client import AsyncClient
from batchprogress.cli.cli_errors import unavailable
from batchprogress.cli.formatting import clean
from batchprogress.client import Client

AWAY_SECONDS_MIN = 2.0
"""A server that answers within this time, also on a busy machine, is not reported as away."""


class CommandClient(Client):
    """A Client that says once on standard error that it waits for the server.

    Args:
        connection: the server.
        timeout: how long a call may take, in seconds. None: as long as usual.

    """

    def __init__(self, connection: Connection, timeout: float | None) -> None:
        super().__init__(connection.target)
        self._connection = connection
        self._caller = _SayingCaller(connection, Patience(timeout or CALL_SECONDS_MAX))

    def answer(self, call: Call[Answer]) -> Answer:
        """Return the answer to a call that Client has no method for."""
        return self._caller.answer(call)


class _SayingCaller(Caller):
    _has_said = False

    def answer(self, call: Call[Answer]) -> Answer:
        # A server that hangs gives no reason.
        timer = threading.Timer(AWAY_SECONDS_MIN, self._say_once)
        timer.daemon = True
        timer.start()
        try:
            return super().answer(call)
        finally:
            timer.cancel()

    def will_retry(self, error: grpc.RpcError) -> None:
        failure = failure_of(error)
        self._say_once(f" ({clean(cause_of(failure.message)) or failure.code.name})")

    def _say_once(self, why: str = "") -> None:
        if not self._has_said:
            self._has_said = True
            say(f"waiting for the server at {self._connection.target}{why}")


class AsyncCommandClient(AsyncClient):
    """An AsyncClient that can look after its connection.

    Args:
        connection: the server.
        timeout: how long the server may be away, in seconds. None: for ever.

    """

    def __init__(self, connection: Connection, timeout: float | None) -> None:
        super().__init__(connection.target)
        self._connection = connection
        self._caller = AsyncCaller(connection, Patience())
        self._timeout = timeout

    async def report_connection(self) -> None:
        """Say on standard error when the server is away and when it is back, for as long as this is awaited.

        Raises:
            CommandError: the server was away for longer than the timeout.

        """
        while True:
            try:
                async with asyncio.timeout(self._timeout):
                    await self._until_ready()
            except TimeoutError:
                raise unavailable(self._connection.target, self._timeout or 0) from None
            await self._until(ready=False)

    async def _until_ready(self) -> None:
        try:
            async with asyncio.timeout(AWAY_SECONDS_MIN):
                await self._until(ready=True)
        except TimeoutError:
            say(f"waiting for the server at {self._connection.target}")
            await self._until(ready=True)
            say(f"the server at {self._connection.target} answers again")

    async def _until(self, *, ready: bool) -> None:
        channel = self._caller.channel
        state = channel.get_state(try_to_connect=True)
        while (state is grpc.ChannelConnectivity.READY) != ready:
            await channel.wait_for_state_change(state)
            state = channel.get_state(try_to_connect=True)


def say(sentence: str) -> None:
    """Write a sentence for people to standard error."""
    typer.echo(f"batchprogress: {sentence}", err=True)
