"""Where a bar is drawn: one line that is redrawn, or lines where that is not possible."""

import contextvars
import shutil
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from batchprogress.bar_line import head_of, held, line_of
from batchprogress.models import Batch
from batchprogress.plain_text import plain

WAITING_SECONDS_MIN = 1.0
"""A server that answers within this time is not shown as away. People read of it with the next redraw,
within two seconds."""
REDRAWN_SECONDS = 1.0
"""How often a batch without news is redrawn: its time left is shown in seconds."""
LINE_STEP_PERCENT = 10
"""The progress between two lines of a log: about a dozen lines for a batch."""
LOGGED_SILENCE_SECONDS_MIN = 60.0
"""A silence shorter than this is not worth a line of a log; the server calls it no stall either."""
CLEAR_TO_END = "\x1b[K"


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


@contextmanager
def redrawn(screen: Screen) -> Iterator[None]:
    """Redraw a screen while the context is open: whoever waits for messages cannot."""
    ended = threading.Event()

    def redraw() -> None:
        with suppress(OSError, ValueError):  # the output is closed: the next `show` raises it
            while not ended.wait(REDRAWN_SECONDS):
                screen.pass_time()

    # In this context: a notebook's tells which cell an output belongs to.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(redraw,), name="batchprogress-bar", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        screen.end()
