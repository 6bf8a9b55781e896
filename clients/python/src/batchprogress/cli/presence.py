"""Says that a command waits for its server, and ends the command when that takes too long."""

import asyncio
from typing import NoReturn

from batchprogress._calls.waiting import Waiting
from batchprogress._grpc.retry import Failure
from batchprogress.cli.cli_errors import unavailable
from batchprogress.cli.client import AWAY_SECONDS_MIN, say
from batchprogress.cli.formatting import clean


class Presence(Waiting):
    """Whether the server answers, judged by every watch and call of a command.

    The connection would not tell: a proxy keeps it while every server behind it is away.

    Args:
        server: its address.
        timeout: how long it may leave a question open, in seconds. None: for ever.

    """

    def __init__(self, server: str, timeout: float | None) -> None:
        self._server = server
        self._timeout = timeout
        self._cause = ""
        self._asked = asyncio.Event()
        self._answered = asyncio.Event()

    def asked(self) -> None:
        """Note that the server owes an answer."""
        if not self._asked.is_set():
            self._cause = ""
            self._answered.clear()
            self._asked.set()

    def failed(self, failure: Failure, _now: float) -> None:
        """Note why there is no answer yet."""
        self.asked()
        self._cause = clean(failure.cause)

    def answered(self) -> None:
        """Note an answer, to whatever question."""
        self._asked.clear()
        self._answered.set()

    async def report(self) -> NoReturn:
        """Say on standard error when the server is away and when it is back, for as long as this is awaited.

        Raises:
            CommandError: the server has not answered for longer than the timeout.

        """
        while True:
            await self._asked.wait()
            try:
                async with asyncio.timeout(self._timeout):
                    await self._until_answered()
            except TimeoutError:
                raise unavailable(self._server, self._timeout or 0, self._cause) from None

    async def _until_answered(self) -> None:
        try:
            async with asyncio.timeout(AWAY_SECONDS_MIN):
                await self._answered.wait()
        except TimeoutError:
            why = f" ({self._cause})" if self._cause else ""
            say(f"waiting for the server at {self._server}{why}")
            await self._answered.wait()
            say(f"the server at {self._server} answers again")
