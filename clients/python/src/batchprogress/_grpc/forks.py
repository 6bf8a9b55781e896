"""How a process that uses gRPC forks.

gRPC does not survive a fork after its first call: its threads are missing in the child, which hangs in its
next call, and a stream that the child ends is ended for its parent too. So a child that is forked after a
call never calls gRPC, and never lets go of what its parent has opened. Its calls are made by the call process
(see remote_channel), which its parent starts before it forks.
"""

import ctypes
import functools
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from batchprogress._grpc import call_processes
from batchprogress._grpc.fork_switch import without_fork_handlers

Kept = TypeVar("Kept")

_first_pid: int | None = None
"""The process that opened the first channel, this one or one that it was forked from."""
_kept: "weakref.WeakValueDictionary[int, Any]" = weakref.WeakValueDictionary()
"""Channels and streams, by their id."""
_forking = threading.local()
"""What is open when this thread forks."""


def is_forked_after_use() -> bool:
    """Whether a channel was opened in a process that this one was forked from."""
    return _first_pid not in (None, os.getpid())


@contextmanager
def use() -> Iterator[None]:
    """Open a channel: this process uses gRPC from now on."""
    global _first_pid  # noqa: PLW0603  # gRPC has one state in each process
    if _first_pid is not None:
        yield
        return
    _first_pid = os.getpid()
    _register_hooks()
    with without_fork_handlers():
        yield


def keep(opened: Kept) -> Kept:
    """Return a channel or a stream, which no child that is forked later closes when it lets go of it."""
    with suppress(TypeError):  # an interceptor's own, without weak references
        _kept[id(opened)] = opened
    return opened


@functools.cache
def _register_hooks() -> None:
    if hasattr(os, "register_at_fork"):  # Windows has no fork
        os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


def _before() -> None:
    _forking.opened = [reference() for reference in _kept.valuerefs()]
    with suppress(OSError):  # then a child tries it
        call_processes.start()


def _in_parent() -> None:
    _forking.opened = []


def _in_child() -> None:
    for opened in _forking.opened:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(opened))
