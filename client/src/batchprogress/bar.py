"""A progress bar for scripts and notebooks: one line that is written again, or lines where that cannot be."""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import grpc

from batchprogress._grpc.connection import Credentials, Token
from batchprogress.pace import after_silence
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.watching import watch

BAR_CHARACTERS = 24
"""Room for the bar: with the numbers it fits into 80 columns."""
DRAWN_SECONDS_MIN = 0.1
"""Ten lines a second look alive; more only cost."""
REDRAWN_SECONDS = 1.0
"""How often a batch that is silent is drawn again: its time left is told in seconds."""
LINE_STEP_PERCENT = 10
"""Where lines stay, as in a log: a dozen of them for a batch."""
CLEAR_TO_END = "\x1b[K"


def bar(
    target: str | grpc.Channel,
    batch_id: str,
    *,
    file: TextIO | None = None,
    credentials: Credentials | None = None,
    token: Token | None = None,
) -> pb.Batch:
    """Show a batch until it ends, on standard error or in `file`; return its last state.

    In a terminal one line is written again and again; elsewhere a line each 10 percent and when it stalls. A
    rate fades while no result comes, and then it is said for how long none has.

    Raises:
        BatchNotFound: there is no such batch.
        grpc.RpcError: as `watch`.

    """
    states = watch(target, batch_id, min_interval=DRAWN_SECONDS_MIN, credentials=credentials, token=token)
    out = sys.stderr if file is None else file
    screen = Line(out) if out.isatty() else Lines(out)
    batch = pb.Batch()
    with passing_time(screen):
        for batch in states:  # the last one is returned
            screen.show(batch)
    return batch


def line_of(batch: pb.Batch) -> str:
    """Return a batch in one line: bar, percent, counts, failed, skipped, rate, time left, state."""
    done = batch.total_jobs - batch.pending_jobs
    full = "█" * (BAR_CHARACTERS * batch.percent_complete // 100)
    parts = [f"{batch.percent_complete:3} % {full:░<{BAR_CHARACTERS}} {done:,}/{batch.total_jobs:,}"]
    parts += [f"{batch.failed_jobs:,} failed"] if batch.failed_jobs else []
    parts += [f"{batch.skipped_jobs:,} skipped"] if batch.skipped_jobs else []
    if batch.state == pb.BATCH_STATE_PROCESSING:
        parts += pace_of(batch)
    else:
        parts.append(pb.BatchState.Name(batch.state).removeprefix("BATCH_STATE_").lower())
    return ", ".join(parts)


def pace_of(batch: pb.Batch) -> list[str]:
    """Return rate and time left, without any clock of ours."""
    if batch.jobs_per_second <= 0:
        return [batch.stall_reason] if batch.stall_reason else []
    rate = f"{batch.jobs_per_second:,.{0 if batch.jobs_per_second >= 10 else 1}f}/s"  # noqa: PLR2004  # a digit
    if not batch.sealed:
        return [rate]
    return [rate, f"{duration_of(round(batch.pending_jobs / batch.jobs_per_second))} left"]


def duration_of(seconds: int) -> str:
    """Return 4:07 or 1:06:40."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Screen:
    """The newest state of a batch, drawn when it comes and again as time passes without a newer one."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        """Take where to draw, and a clock in seconds."""
        self._out = out
        self._clock = clock
        self._batch = pb.Batch()
        self._received = 0.0
        self._lock = threading.Lock()

    def show(self, batch: pb.Batch) -> None:
        """Show a newer state."""
        with self._lock:
            self._batch, self._received = batch, self._clock()
            self._draw(batch)

    def pass_time(self) -> None:
        """Show what silence has made of the state since it came."""
        with self._lock:
            seconds = self._clock() - self._received
            if self._batch.batch_id and seconds >= REDRAWN_SECONDS:
                self._draw(after_silence(self._batch, seconds))

    def end(self) -> None:
        """Leave what was shown."""

    def _draw(self, batch: pb.Batch) -> None:
        raise NotImplementedError


class Line(Screen):
    """One line of a terminal, written again and again."""

    def end(self) -> None:
        """Go on below it."""
        self._out.write("\n")

    def _draw(self, batch: pb.Batch) -> None:
        columns = shutil.get_terminal_size().columns
        self._out.write(f"\r{line_of(batch)[: columns - 1]}{CLEAR_TO_END}")
        self._out.flush()


class Lines(Screen):
    """A line each ten percent, when the batch stalls, and at its end."""

    _next_percent = 0
    _has_stalled = False

    def _draw(self, batch: pb.Batch) -> None:
        stalls = bool(batch.stall_reason) and not self._has_stalled
        self._has_stalled = bool(batch.stall_reason)
        is_due = batch.percent_complete >= self._next_percent or batch.state != pb.BATCH_STATE_PROCESSING
        if is_due or stalls:
            self._out.write(f"{line_of(batch)}\n")
            self._out.flush()
            self._next_percent = batch.percent_complete + LINE_STEP_PERCENT


@contextmanager
def passing_time(screen: Screen) -> Iterator[None]:
    """Let a screen follow the time while the context is open: whoever waits for messages cannot."""
    ended = threading.Event()

    def follow() -> None:
        with suppress(OSError, ValueError):  # where it is drawn is gone: whoever shows a state learns of it
            while not ended.wait(REDRAWN_SECONDS):
                screen.pass_time()

    following = threading.Thread(target=follow, name="batchprogress-bar", daemon=True)
    following.start()
    try:
        yield
    finally:
        ended.set()
        following.join()
        screen.end()
