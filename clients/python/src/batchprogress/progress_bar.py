"""A progress bar for scripts and notebooks."""

import math
import sys
import time
from contextlib import suppress
from typing import TextIO

import grpc

from batchprogress._calls.attempts import Patience
from batchprogress._calls.call_errors import Subject
from batchprogress._calls.caller import Caller
from batchprogress._calls.waiting import Waiting
from batchprogress._calls.watch_cursor import WatchCursor
from batchprogress._disabled import is_disabled
from batchprogress._grpc.connection import Connection, Credentials, Token
from batchprogress._grpc.retry import Failure
from batchprogress.bar_notebook import Notebook, hide_result, notebook_shell
from batchprogress.bar_screens import Line, Lines, Screen, redrawn
from batchprogress.errors import BatchNotFound, CallFailed, ProgressError, ProxyAnswered
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.watching import OF_CHANNEL, grpc_error_of

DRAWN_SECONDS_MIN = 0.1
"""The least time between two redraws: ten a second look alive, more only cost."""


def bar(  # noqa: PLR0913  # options, by keyword only
    target: str | grpc.Channel,
    batch_id: str,
    *,
    file: TextIO | None = None,
    credentials: Credentials | None = None,
    token: Token | None = None,
    timeout: float = math.inf,
) -> pb.Batch:
    """Show the progress of a batch until it has ended.

    A terminal shows one line that is redrawn, a notebook a bar that is updated in place. Elsewhere a line is
    written every 10 percent, when the batch stalls, and when it has ended. Once no result has arrived for
    longer than the rate explains, the line says since when in place of the rate.
    While the server does not answer, the line says so and why.

    If BATCHPROGRESS_DISABLED switches reporting off, nothing is shown, and a batch without jobs is returned
    at once.

    Args:
        target: host:port, or any gRPC name; or a channel of your own, which stays open.
        batch_id: the batch.
        file: where to write. Default: a notebook's cell, else standard error.
        credentials: TLS, from TlsFiles or grpc.ssl_channel_credentials(). Default: plaintext.
        token: a bearer token, or a function that returns the current one.
        timeout: how long to wait for the end of the batch, in seconds. Default: for ever.

    Returns:
        The last state, as the protobuf message.

    Raises:
        BatchNotFound: there is no such batch, or it was deleted meanwhile.
        ProxyAnswered: something before the server refused the watch.
        WaitTimeout: the batch has not ended in time; `.batch` is its last state.
        grpc.RpcError: the server refused the watch.

    Example:
        >>> last = bar("progress:50051", "sync-2026-11")
        >>> print(last.succeeded_jobs, last.failed_jobs)
        1 1

    """
    if is_disabled():
        return pb.Batch(batch_id=batch_id)  # it was not created, and would never end
    showing = Showing(target, batch_id, file, Connection(_address(target), credentials, token))
    try:
        return showing.run(timeout)
    except (BatchNotFound, ProxyAnswered) as error:
        raise error from None  # it says all that the error of gRPC below it says
    except CallFailed as error:
        raise grpc_error_of(error) from None
    finally:
        showing.close()


class Showing:
    """Shows a batch until it has ended, or until another thread closes it.

    Args:
        target: the server, or a channel of the user's own, which stays open.
        batch_id: the batch.
        file: where to write. None is standard error, or a notebook.
        connection: how the server is reached, unless the target is a channel.

    """

    def __init__(
        self, target: str | grpc.Channel, batch_id: str, file: TextIO | None, connection: Connection
    ) -> None:
        self._channel = None if isinstance(target, str) else target
        self._caller = Caller(connection, Patience(), self._channel)
        self._subject = Subject(connection.target, "WatchBatch", batch_id)
        self._screen = _screen_on(file)

    def run(self, timeout: float = math.inf) -> pb.Batch:
        """Show the batch; return its last state.

        Raises:
            CallFailed: the server or a proxy refused the watch, or another thread has closed it.
            WaitTimeout: the batch has not ended in time.

        """
        cursor = WatchCursor(
            self._subject,
            min_interval=DRAWN_SECONDS_MIN,
            deadline=time.monotonic() + timeout,
            waiting=_ShownWaiting(self._screen, self._subject.target),
        )
        with redrawn(self._screen):
            for batch in self._caller.states(cursor):
                self._screen.show(batch)
        message = cursor.ended_batch(timeout).message
        if isinstance(self._screen, Notebook):
            hide_result(message)
        return message

    def run_quietly(self) -> None:
        """Show the batch; end at the first error, for work that goes on without the bar."""
        with suppress(ProgressError, OSError, ValueError):  # also of a closed output
            self.run()

    def close(self) -> None:
        """Close the connection, which ends the watch."""
        if self._channel is None:
            self._caller.close()


def _address(target: str | grpc.Channel) -> str:
    return target if isinstance(target, str) else OF_CHANNEL


def _screen_on(file: TextIO | None) -> Screen:
    if file is None and notebook_shell() is not None:
        return Notebook()
    out = sys.stderr if file is None else file
    return Line(out) if out.isatty() else Lines(out)


class _ShownWaiting(Waiting):
    """Shows what a bar waits for, from its first moment on."""

    def __init__(self, screen: Screen, server: str) -> None:
        self._screen = screen
        self._sentence = f"waiting for {server}"
        screen.wait_for(self._sentence)

    def failed(self, failure: Failure, _now: float) -> None:
        self._screen.wait_for(f"{self._sentence}: {failure.cause}")

    def answered(self) -> None:
        self._screen.go_on()
