"""Keeps reporters whole across forks: the parent continues, the child begins with an empty buffer.

Each reporter's lock is held over the fork, so the child never copies a half-changed outbox, and no call is in
flight at that moment. The child's reporter opens its own thread, channel and buffer with its first report;
the parent's reports stay with the parent.

What becomes of gRPC itself is settled elsewhere: see batchprogress._grpc.forks.
"""

import functools
import os
import threading
from typing import Protocol

from batchprogress._process.at_exit import forget_all
from batchprogress._process.live_objects import LiveObjects


class ForkAware(Protocol):
    """An object that both parent and child continue to use."""

    def before_fork(self) -> None:
        """Finish the call in flight, and keep the lock."""

    def after_fork_in_parent(self) -> None:
        """Release the lock and continue."""

    def after_fork_in_child(self) -> None:
        """Start again from empty."""


_registered: LiveObjects[ForkAware] = LiveObjects()
_held: list[ForkAware] = []
_forking = threading.Lock()
"""Held over a fork: of two threads that fork at once, neither may release what the other one holds."""


def survive_forks(reporter: ForkAware) -> None:
    """Call an object's hooks at every fork from now on."""
    _registered.add(reporter)
    _register_hooks()


@functools.cache
def _register_hooks() -> None:
    if hasattr(os, "register_at_fork"):  # Windows has no fork
        os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


def _before() -> None:
    _forking.acquire()
    for reporter in _registered.all():
        reporter.before_fork()
        _held.append(reporter)


def _in_parent() -> None:
    while _held:
        _held.pop().after_fork_in_parent()
    _forking.release()


def _in_child() -> None:
    forget_all()
    while _held:
        _held.pop().after_fork_in_child()
    _forking.release()
