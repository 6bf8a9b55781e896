"""Flushes senders when the process ends.

Sending threads are daemons, which outlive the atexit callbacks. Those run after every other thread has ended,
so a report from the last job of any thread is flushed too. A process forked by multiprocessing runs
multiprocessing's exit functions instead. One that multiprocessing terminates, as every `with Pool()` does at
its end, is sent SIGTERM and runs neither, so SIGTERM flushes there. A process that ends with os._exit (the
forked workers of Celery and RQ) runs none of these: the worker's own shutdown hook must call `close` there.
"""

import atexit
import functools
import multiprocessing
import multiprocessing.util
import os
import signal
from typing import Protocol

from batchprogress._process import at_sigterm
from batchprogress._process.live_objects import LiveObjects

EXIT_PRIORITY = 100
"""Among multiprocessing's exit functions: before those that end what a job may still use."""


class Closable(Protocol):
    """Anything to close when the process ends."""

    def close_at_exit(self) -> None:
        """Flush for a bounded time, then close."""


_open: LiveObjects[Closable] = LiveObjects()
_registered: "tuple[int, multiprocessing.util.Finalize] | None" = None
"""The process that is among multiprocessing's exit functions, and its entry there."""


@functools.cache
def register_atexit() -> None:
    """Let the interpreter's exit close everything that `close_at_exit` names by then."""
    atexit.register(_close_all)
    if multiprocessing.parent_process() is not None:  # the first report may come from another thread
        _close_at_sigterm()


def close_at_exit(closable: Closable) -> None:
    """Close an object when this process ends."""
    _open.add(closable)
    at_sigterm.renew()
    if multiprocessing.parent_process() is not None:
        _close_with_multiprocessing()
        _close_at_sigterm()


def _close_with_multiprocessing() -> None:
    """Be among multiprocessing's exit functions, once: a worker may make a reporter for each of its jobs."""
    global _registered  # noqa: PLW0603  # a process has one registry
    known, process = _registered, os.getpid()
    # multiprocessing empties its registry in a process that it forks, and ignores entries of other processes.
    if known is None or known[0] != process or not known[1].still_active():
        registered = multiprocessing.util.Finalize(None, _close_all, exitpriority=EXIT_PRIORITY)
        _registered = process, registered


def forget_all() -> None:
    """Close nothing of what was open before a fork; called in the child."""
    _open.clear()


def _close_at_sigterm() -> None:
    """Flush before SIGTERM ends this process, unless the program itself says what SIGTERM does."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        at_sigterm.flush_first(_close_all)


def _close_all() -> None:
    for closable in _open.all():
        closable.close_at_exit()
