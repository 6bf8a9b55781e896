"""The clients of the commands: they say that they wait for the server."""

import logging
import threading
from collections.abc import AsyncGenerator, Mapping

import typer

from batchprogress._calls.async_caller import AsyncCaller
from batchprogress._calls.attempts import CALL_SECONDS_MAX, Patience
from batchprogress._calls.caller import Caller
from batchprogress._calls.requests import Answer, Call
from batchprogress._calls.waiting import Waiting
from batchprogress._grpc.connection import Connection
from batchprogress._grpc.retry import Failure
from batchprogress.async_client import AsyncClient
from batchprogress.cli.formatting import clean
from batchprogress.client import Client
from batchprogress.models import Batch

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

    def _write(self, call: Call[Batch]) -> Batch:
        """Send the call, also if BATCHPROGRESS_DISABLED is set: a person or a script asks for just this."""
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

    def will_retry(self, failure: Failure) -> None:
        self._say_once(f" ({clean(failure.cause)})")

    def _say_once(self, why: str = "") -> None:
        if not self._has_said:
            self._has_said = True
            say(f"waiting for the server at {self._connection.target}{why}")


class AsyncCommandClient(AsyncClient):
    """An AsyncClient whose watches tell how their streams end.

    Args:
        connection: the server.
        timeout: how long the server may be away, in seconds. None: for ever.

    """

    def __init__(self, connection: Connection, timeout: float | None) -> None:
        super().__init__(connection.target)
        self._connection = connection
        self._caller = AsyncCaller(connection, Patience())
        self.timeout = timeout

    def states(self, batch_id: str, waiting: Waiting, min_interval: float) -> AsyncGenerator[Batch, None]:
        """Yield the states of a batch as `watch` does, and tell `waiting` how streams end."""
        return self._caller.watch(batch_id, min_interval=min_interval, waiting=waiting)

    def states_of_many(
        self, labels: Mapping[str, str], batch_id_prefix: str, waiting: Waiting
    ) -> AsyncGenerator[Batch, None]:
        """Yield the states of batches as `watch_batches` does, and tell `waiting` how streams end."""
        return self._caller.watch_batches(labels, batch_id_prefix, waiting=waiting)


class _SayingHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(clean(record.getMessage()))


def say_what_is_logged() -> None:
    """Let the warnings of the package read like the sentences of a command."""
    logger = logging.getLogger("batchprogress")
    if not logger.handlers:
        logger.addHandler(_SayingHandler())


def say(sentence: str) -> None:
    """Write a sentence for people to standard error."""
    typer.echo(f"batchprogress: {sentence}", err=True)
