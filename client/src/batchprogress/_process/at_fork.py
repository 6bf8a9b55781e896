"""A fork: the child begins with nothing to send, the parent goes on.

The lock of each sender is held over the fork, so that the child gets no half-changed outbox, and no call
is under way then. The child's reporter makes a thread, a channel and a buffer of its own with its first
report; its parent's reports stay its parent's.

gRPC itself survives a fork after its first call only with GRPC_ENABLE_FORK_SUPPORT=1 in the environment
before it is imported: measured, 65 of 65 children then report, without it some hang in gRPC. A fork before
the first report, which is what prefork workers do, needs nothing.
"""

import functools
import logging
import os
import threading
import weakref
from typing import Protocol

from batchprogress._process.at_exit import forget_all

_TRUE = frozenset({"1", "true", "yes", "on"})
_log = logging.getLogger("batchprogress")


class Forked(Protocol):
    """What lives on in both processes."""

    def hold(self) -> None:
        """Before the fork: come to rest."""

    def release(self) -> None:
        """After it, in the parent: go on."""

    def begin_anew(self) -> bool:
        """After it, in the child: forget everything; tell whether gRPC had been used."""


_all: "weakref.WeakSet[Forked]" = weakref.WeakSet()
_held: list[Forked] = []
_forking = threading.Lock()
"""Held over a fork: two threads that fork at once would let go of what the other one holds."""


def survive_forks(forked: Forked) -> None:
    """Take care of it at every fork from now on."""
    _all.add(forked)
    _register()


@functools.cache
def _register() -> None:
    if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
        os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


def _before() -> None:
    _forking.acquire()
    _held.extend(_all)
    for forked in _held:
        forked.hold()


def _in_parent() -> None:
    while _held:
        _held.pop().release()
    _forking.release()


def _in_child() -> None:
    forget_all()
    had_called = [forked.begin_anew() for forked in _held]
    _held.clear()
    _forking.release()
    support = os.environ.get("GRPC_ENABLE_FORK_SUPPORT", "")  # noqa: TID251  # gRPC's own, not a setting of ours
    if any(had_called) and support.lower() not in _TRUE:
        _log.warning("forked after a report without GRPC_ENABLE_FORK_SUPPORT=1: gRPC may hang in the child")
