"""Flushes senders when the process ends.

Sending threads are daemons, which outlive the atexit callbacks. Those run after every other thread has ended,
so a report from the last job of any thread is flushed too. A process forked by multiprocessing runs
multiprocessing's exit functions instead. A process that ends with os._exit (the forked workers of Celery and
RQ) runs neither: the worker's own shutdown hook must call `close` there.
"""

import atexit
import functools
import multiprocessing
import multiprocessing.util
import weakref
from typing import Protocol

EXIT_PRIORITY = 100
"""Among multiprocessing's exit functions: before those that end what a job may still use."""


class Closable(Protocol):
    """Anything to close when the process ends."""

    def close_at_exit(self) -> None:
        """Flush for a bounded time, then close."""


_open: "weakref.WeakSet[Closable]" = weakref.WeakSet()


@functools.cache
def register_atexit() -> None:
    """Let the interpreter's exit close everything that `close_at_exit` names by then."""
    atexit.register(_close_all)


def close_at_exit(closable: Closable) -> None:
    """Close an object when this process ends."""
    _open.add(closable)
    if multiprocessing.parent_process() is not None:
        # Not once: multiprocessing empties its registry in each process that it forks.
        multiprocessing.util.Finalize(None, _close_all, exitpriority=EXIT_PRIORITY)


def forget_all() -> None:
    """Close nothing of what was open before a fork; called in the child."""
    _open.clear()


def _close_all() -> None:
    for closable in list(_open):
        closable.close_at_exit()
