"""A progress bar for scripts and notebooks: one line that is redrawn, or lines where that is not possible."""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import grpc

from batchprogress._calls.convert import to_batch
from batchprogress._grpc.connection import Credentials, Token
from batchprogress.models import Batch
from batchprogress.pace import after_silence
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.watching import watch

BAR_CHARACTERS = 24
"""The width of the bar: with the numbers it fits into 80 columns."""
DRAWN_SECONDS_MIN = 0.1
"""The least time between two redraws: ten a second look alive, more only cost."""
REDRAWN_SECONDS = 1.0
"""How often a batch without news is redrawn: its time left is shown in seconds."""
LINE_STEP_PERCENT = 10
"""The progress between two lines of a log: about a dozen lines for a batch."""
TWO_DIGIT_RATE = 10
"""From this rate on, in jobs per second, a decimal place would only flicker."""
CLEAR_TO_END = "\x1b[K"


def bar(
    target: str | grpc.Channel,
    batch_id: str,
    *,
    file: TextIO | None = None,
    credentials: Credentials | None = None,
    token: Token | None = None,
) -> pb.Batch:
    """Show the progress of a batch until it has ended.

    A terminal shows one line that is redrawn. Elsewhere a line is written every 10 percent, when the batch
    stalls, and when it has ended. While no result arrives the rate falls, then the line says since when.

    Args:
        target: host:port, or any gRPC name; or a channel of your own, which stays open.
        batch_id: the batch.
        file: where to write. Default: standard error.
        credentials: TLS, from TlsFiles or grpc.ssl_channel_credentials(). Default: plaintext.
        token: a bearer token, or a function that returns the current one.

    Returns:
        The last state, as the protobuf message.

    Raises:
        BatchNotFound: there is no such batch, or it was deleted meanwhile.
        grpc.RpcError: the server refused the watch.

    Example:
        >>> last = bar("progress:50051", "sync-2026-11")
        >>> print(last.succeeded_jobs, last.failed_jobs)
        1 1

    """
    states = watch(target, batch_id, min_interval=DRAWN_SECONDS_MIN, credentials=credentials, token=token)
    out = sys.stderr if file is None else file
    screen = Line(out) if out.isatty() else Lines(out)
    message = pb.Batch()
    with redrawn(screen):
        for message in states:  # the last one is returned
            screen.show(to_batch(message))
    return message


def line_of(batch: Batch) -> str:
    """Return a batch in one line: percent, bar, counts, failed, skipped, rate, time left, state."""
    full = "█" * (BAR_CHARACTERS * batch.percent_complete // 100)
    counts = f"{batch.ended_jobs:,}/{batch.total_jobs:,}"
    return ", ".join([f"{batch.percent_complete:3} % {full:░<{BAR_CHARACTERS}} {counts}", *tail_of(batch)])


def tail_of(batch: Batch) -> list[str]:
    """Return what follows the counts: failed, skipped, then rate and time left, or the stall, or the end."""
    parts = [f"{batch.failed_jobs:,} failed"] if batch.failed_jobs else []
    parts += [f"{batch.skipped_jobs:,} skipped"] if batch.skipped_jobs else []
    return [*parts, batch.state] if batch.has_ended else [*parts, *pace_of(batch)]


def pace_of(batch: Batch) -> list[str]:
    """Return rate and time left, or why the batch stalls."""
    if batch.jobs_per_second <= 0:
        return [batch.stall_reason] if batch.stall_reason else []
    rate = f"{batch.jobs_per_second:,.{0 if batch.jobs_per_second >= TWO_DIGIT_RATE else 1}f}/s"
    if not batch.sealed:
        return [rate]
    return [rate, f"{duration_of(round(batch.pending_jobs / batch.jobs_per_second))} left"]


def duration_of(seconds: int) -> str:
    """Return 4:07 or 1:06:40."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Screen:
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
        self._lock = threading.Lock()

    def show(self, batch: Batch) -> None:
        """Draw a newer state."""
        with self._lock:
            self._batch, self._received = batch, self._clock()
            self._draw(batch)

    def pass_time(self) -> None:
        """Draw what the time without news has made of the state."""
        with self._lock:
            seconds = self._clock() - self._received
            if self._batch is not None and seconds >= REDRAWN_SECONDS:
                self._draw(after_silence(self._batch, seconds))

    def end(self) -> None:
        """Leave what is drawn as it is."""

    def _draw(self, batch: Batch) -> None:
        raise NotImplementedError


class Line(Screen):
    """One line of a terminal that is redrawn."""

    def end(self) -> None:
        """Go on below the line."""
        self._out.write("\n")

    def _draw(self, batch: Batch) -> None:
        columns = shutil.get_terminal_size().columns
        self._out.write(f"\r{line_of(batch)[: columns - 1]}{CLEAR_TO_END}")
        self._out.flush()


class Lines(Screen):
    """A line every ten percent, when the batch stalls, and when it has ended."""

    _next_percent = 0
    _has_stalled = False

    def _draw(self, batch: Batch) -> None:
        stalls = bool(batch.stall_reason) and not self._has_stalled
        self._has_stalled = bool(batch.stall_reason)
        if stalls or batch.has_ended or batch.percent_complete >= self._next_percent:
            self._out.write(f"{line_of(batch)}\n")
            self._out.flush()
            self._next_percent = batch.percent_complete + LINE_STEP_PERCENT


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
