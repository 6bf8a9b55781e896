"""Flushes on SIGTERM, then lets the signal do what it did before.

Python runs a handler only between two steps of the main thread. A main thread that has just begun to wait
for a lock, as the workers of multiprocessing do, does not run it before the lock is free, which may be never.
So a thread of our own learns of the signal too, from a pipe to which the C part of Python's handler writes.

A process that is forked has no such thread. It handles SIGTERM as it did without us until it reports itself.
"""

import ctypes
import functools
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from batchprogress import _green_threads

POKE_SECONDS = 0.05
"""Between two signals that wake the main thread, until it has run the handler."""

_pipe: tuple[int, int] | None = None
"""Both ends of the pipe that the thread reads; None without a thread."""
_called: "list[_Handler]" = []
"""Handlers that the main thread has run, and that the thread has still to flush for."""
_inherited: list[Callable[[], object]] = []
"""In a forked process: the flushes of its parent, the first one last."""


def flush_first(flush: Callable[[], object]) -> bool:
    """Install a handler that flushes in another thread and then sends the signal again.

    The handler itself must not flush: it interrupts the main thread anywhere, for example inside a report.

    Returns:
        False, with nothing changed, outside the main thread or if Python cannot restore the present handler.

    """
    before = signal.getsignal(signal.SIGTERM)
    if not is_in_main_thread() or before is None:
        return False
    if hasattr(signal, "pthread_kill") and not _green_threads.library():  # otherwise pipes and signals differ
        _start_thread()
    _register_hook()
    signal.signal(signal.SIGTERM, _Handler(flush, before))
    return True


def renew() -> None:
    """Install again what the parent of this process had installed; called before the first report."""
    while _inherited and is_in_main_thread():
        flush_first(_inherited.pop())


def is_in_main_thread() -> bool:
    """Whether this thread may install a handler."""
    return threading.current_thread() is threading.main_thread()


class _Handler:
    """Handles one SIGTERM."""

    def __init__(self, flush: Callable[[], object], before: Any) -> None:
        self.flush = flush
        self.before = before
        self._is_done = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Let a second signal take effect at once."""
        signal.signal(signal.SIGTERM, self.before)
        if _pipe is None:
            name = "batchprogress-sigterm"
            threading.Thread(target=self.flush_then_resend, name=name, daemon=True).start()
            return
        # No thread is started here: another one may be half started in the frame that this interrupts.
        _called.append(self)
        with suppress(BlockingIOError):  # there is enough to read already
            os.write(_pipe[1], bytes([signal.SIGTERM]))

    def flush_then_resend(self) -> None:
        """Flush, and send the signal again for what it did before."""
        if self._is_done:
            return
        self._is_done = True
        try:
            self.flush()
        finally:
            self._restore()
            os.kill(os.getpid(), signal.SIGTERM)

    def _restore(self) -> None:
        while self._is_installed():  # the main thread has not run the handler
            if self.before is signal.SIG_DFL:  # without that thread, which may be busy outside Python
                ctypes.CDLL(None).signal(int(signal.SIGTERM), None)
                return
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
            time.sleep(POKE_SECONDS)

    def _is_installed(self) -> bool:
        handler: Any = signal.getsignal(signal.SIGTERM)
        return handler is self


def _start_thread() -> None:
    """Start the thread of this process if it has none."""
    global _pipe  # noqa: PLW0603  # a process has one wake-up descriptor
    if _pipe is not None:
        return
    read_end, write_end = _pipe = os.pipe()
    os.set_blocking(write_end, False)
    before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    if before != -1:  # of an event loop, whose main thread waits for signals, not for locks
        signal.set_wakeup_fd(before)
    # The thread takes no signal itself: the program may block some in the threads that it knows.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        threading.Thread(target=_run, args=[read_end], name="batchprogress-sigterm", daemon=True).start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _run(read_end: int) -> None:
    while True:
        (number,) = os.read(read_end, 1)
        if number == signal.SIGTERM:
            handler = _called.pop() if _called else signal.getsignal(signal.SIGTERM)
            if isinstance(handler, _Handler):  # and not one that the program has installed since
                handler.flush_then_resend()


@functools.cache
def _register_hook() -> None:
    if hasattr(os, "register_at_fork"):  # Windows has no fork
        os.register_at_fork(after_in_child=_leave_to_parent)


def _leave_to_parent() -> None:
    """Take the handlers away in a child, which lacks the thread; `renew` installs them again."""
    global _pipe  # noqa: PLW0603
    handler: Any = signal.getsignal(signal.SIGTERM)
    installed = handler
    while isinstance(handler, _Handler):
        _inherited.append(handler.flush)
        handler = handler.before
    if handler is not installed:
        signal.signal(signal.SIGTERM, handler)
    _called.clear()
    if _pipe is not None:
        if (present := signal.set_wakeup_fd(-1)) != _pipe[1]:
            signal.set_wakeup_fd(present)
        for end in _pipe:
            os.close(end)
        _pipe = None
