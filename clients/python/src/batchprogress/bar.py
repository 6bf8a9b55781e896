"""A progress bar for scripts and notebooks: one line that is redrawn, or lines where that is not possible."""

import math
import shutil
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import grpc

from batchprogress._calls.attempts import Patience
from batchprogress._calls.call_errors import Subject
from batchprogress._calls.caller import Caller
from batchprogress._calls.waiting import Waiting
from batchprogress._calls.watch_cursor import WatchCursor
from batchprogress._grpc.connection import Connection, Credentials, Token
from batchprogress._grpc.retry import Failure
from batchprogress.bar_line import head_of, held, line_of
from batchprogress.errors import BatchNotFound, CallFailed, ProxyAnswered
from batchprogress.models import Batch
from batchprogress.plain_text import plain
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.watching import OF_CHANNEL, grpc_error_of

DRAWN_SECONDS_MIN = 0.1
"""The least time between two redraws: ten a second look alive, more only cost."""
WAITING_SECONDS_MIN = 2.0
"""A server that answers within this time, also on a busy machine, is not shown as away."""
REDRAWN_SECONDS = 1.0
"""How often a batch without news is redrawn: its time left is shown in seconds."""
LINE_STEP_PERCENT = 10
"""The progress between two lines of a log: about a dozen lines for a batch."""
LOGGED_SILENCE_SECONDS_MIN = 60.0
"""A silence shorter than this is not worth a line of a log; the server calls it no stall either."""
CLEAR_TO_END = "\x1b[K"


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

    A terminal shows one line that is redrawn. Elsewhere a line is written every 10 percent, when the batch
    stalls, and when it has ended. Once no result has arrived for longer than the rate explains, the line says
    since when in place of the rate.
    While the server does not answer, the line says so and why.

    Args:
        target: host:port, or any gRPC name; or a channel of your own, which stays open.
        batch_id: the batch.
        file: where to write. Default: standard error.
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
    address, channel = (target, None) if isinstance(target, str) else (OF_CHANNEL, target)
    caller = Caller(Connection(address, credentials, token), Patience(), channel)
    out = sys.stderr if file is None else file
    screen = Line(out) if out.isatty() else Lines(out)
    cursor = WatchCursor(
        Subject(address, "WatchBatch", batch_id),
        min_interval=DRAWN_SECONDS_MIN,
        deadline=time.monotonic() + timeout,
        waiting=_ShownWaiting(screen, address),
    )
    try:
        with redrawn(screen):
            for batch in caller.states(cursor):
                screen.show(batch)
        return cursor.ended_batch(timeout).message
    except (BatchNotFound, ProxyAnswered) as error:
        raise error from None  # it says all that the error of gRPC below it says
    except CallFailed as error:
        raise grpc_error_of(error) from None
    finally:
        if channel is None:
            caller.close()


class Screen(ABC):
    """Draws the newest state of a batch when it arrives, and again while none does.

    Args:
        out: where to draw.
        clock: the time in seconds.

    """

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._batch: Batch | None = None
        self._received = 0.0
        self._waiting = ""
        self._waiting_since = 0.0
        self._lock = threading.Lock()

    def show(self, batch: Batch) -> None:
        """Draw a newer state."""
        with self._lock:
            self._batch, self._received = batch, self._clock()
            self._draw(batch, 0.0)

    def wait_for(self, sentence: str) -> None:
        """Let a later redraw say what is waited for."""
        with self._lock:
            if not self._waiting:
                self._waiting_since = self._clock()
            self._waiting = sentence

    def go_on(self) -> None:
        """Wait for nothing more."""
        with self._lock:
            self._waiting = ""

    def pass_time(self) -> None:
        """Draw what the time without news has made of the state, or what is waited for."""
        with self._lock:
            now = self._clock()
            seconds = now - self._received
            if self._waiting and now - self._waiting_since >= WAITING_SECONDS_MIN:
                self._draw_waiting(self._batch, self._waiting)
            elif self._batch is not None and seconds >= REDRAWN_SECONDS:
                self._draw(held(self._batch, seconds), seconds)

    def end(self) -> None:  # noqa: B027  # a screen may have nothing to do
        """Leave what is drawn as it is."""

    def _print(self, text: str) -> None:
        self._out.write(plain(text, self._out.encoding))
        self._out.flush()

    @abstractmethod
    def _draw(self, batch: Batch, silent_seconds: float) -> None:
        """Draw a batch for which no message has arrived for that long."""

    @abstractmethod
    def _draw_waiting(self, batch: Batch | None, sentence: str) -> None:
        """Draw what is waited for, with the newest state if there is one."""


class Line(Screen):
    """One line of a terminal that is redrawn."""

    def end(self) -> None:
        """Go on below the line."""
        self._out.write("\n")

    def _draw(self, batch: Batch, silent_seconds: float) -> None:
        self._redraw(line_of(batch, silent_seconds))

    def _draw_waiting(self, batch: Batch | None, sentence: str) -> None:
        self._redraw(sentence if batch is None else f"{head_of(batch)}, {sentence}")

    def _redraw(self, line: str) -> None:
        columns = shutil.get_terminal_size().columns
        self._print(f"\r{line[: columns - 1]}{CLEAR_TO_END}")


class Lines(Screen):
    """A line every ten percent, when the batch stalls or the server is away, and when the batch has ended."""

    _next_percent = 0
    _has_stalled = False
    _said_waiting_since = -1.0

    def _draw(self, batch: Batch, silent_seconds: float) -> None:
        is_silent = batch.jobs_per_second <= 0 and silent_seconds >= LOGGED_SILENCE_SECONDS_MIN
        has_stalled = is_silent or bool(batch.stall_reason)
        stalls = has_stalled and not self._has_stalled
        self._has_stalled = has_stalled
        if stalls or batch.has_ended or batch.percent_complete >= self._next_percent:
            self._write(line_of(batch, silent_seconds))
            self._next_percent = batch.percent_complete + LINE_STEP_PERCENT

    def _draw_waiting(self, batch: Batch | None, sentence: str) -> None:
        del batch
        if self._said_waiting_since != self._waiting_since:
            self._said_waiting_since = self._waiting_since
            self._write(sentence)

    def _write(self, line: str) -> None:
        self._print(f"{line}\n")


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


@contextmanager
def redrawn(screen: Screen) -> Iterator[None]:
    """Redraw a screen while the context is open: whoever waits for messages cannot."""
    ended = threading.Event()

    def redraw() -> None:
        with suppress(OSError, ValueError):  # the output is closed: the next `show` raises it
            while not ended.wait(REDRAWN_SECONDS):
                screen.pass_time()

    thread = threading.Thread(target=redraw, name="batchprogress-bar", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        screen.end()
