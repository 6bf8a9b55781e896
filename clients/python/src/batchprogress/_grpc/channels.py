"""The channels of a client: opened by its calls, for each process, and again with newer certificates."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import grpc

from batchprogress import _green_threads
from batchprogress._grpc.connection import Connection
from batchprogress._grpc.retry import Failure
from batchprogress.errors import GrpcUnusable

REOPENED_SECONDS_MIN = 1.0
"""The least time between two openings: without a server, hundreds of watches fail again and again."""

WATCHES_PER_CHANNEL_MAX = 64
"""Proxies and load balancers allow 100 or 128 calls on a connection, and let further ones wait without a
word. What is left is for the calls that are answered at once."""

AnyChannel = TypeVar("AnyChannel", grpc.Channel, grpc.aio.Channel)


@dataclass(eq=False, slots=True)
class _Opened(Generic[AnyChannel]):
    channel: AnyChannel
    opened_at: float = field(default_factory=time.monotonic)
    watches: set[object] = field(default_factory=set)


class Channels(Generic[AnyChannel]):
    """Holds the channels of each process that uses a client: one for all calls, and more for many watches.

    A child that was forked gets channels of its own; its parent's stay here, since they may be neither closed
    nor collected in the child. There is no lock that a fork could leave locked: of two threads that open the
    first channel at the same time, one uses the other's.

    A channel that was replaced, or has no watches left, is closed when the last call that uses it lets go of
    it: gRPC closes a channel that nobody refers to.
    """

    def __init__(self, connection: Connection, open_channel: Callable[[], AnyChannel]) -> None:
        self._connection = connection
        self._open: Callable[[], AnyChannel] = open_channel
        self._by_process: dict[int, list[_Opened[AnyChannel]]] = {}
        self.closings = 0
        """How often the channels were closed: a call that sees the number change was made before."""

    def get(self) -> AnyChannel:
        """Return the channel of this process for calls that are answered at once.

        Raises:
            GrpcUnusable: it cannot be used here.

        """
        return self._opened()[0].channel

    @contextmanager
    def for_watch(self) -> Iterator[AnyChannel]:
        """Yield a channel of this process that has room for a watch, which ends with the context.

        Raises:
            GrpcUnusable: it cannot be used here.

        """
        watch = object()
        opened = self._reserve(watch)
        try:
            yield opened.channel
        finally:
            opened.watches.discard(watch)
            self._drop_unused(opened)

    def reopen_after(self, failure: Failure, channel: AnyChannel) -> None:
        """Replace a channel on which a call failed, if newer certificates may help."""
        if not self._connection.should_reconnect(failure):
            return
        pid = os.getpid()
        now, all_opened = time.monotonic(), self._by_process.get(pid, [])
        for opened in all_opened:
            if opened.channel is channel and now - opened.opened_at >= REOPENED_SECONDS_MIN:
                new = _Opened(self._open())
                self._by_process[pid] = [new if one is opened else one for one in all_opened]
                return

    def pop(self) -> list[AnyChannel]:
        """Remove and return the channels of this process; the next call opens another one."""
        self.closings += 1
        return [opened.channel for opened in self._by_process.pop(os.getpid(), [])]

    def _opened(self) -> list[_Opened[AnyChannel]]:
        if complaint := _green_threads.complaint_about_thread():
            raise GrpcUnusable(complaint)
        pid = os.getpid()
        opened = self._by_process.get(pid)
        if opened is None:
            opened = self._by_process.setdefault(pid, [_Opened(self._open())])
        return opened

    def _reserve(self, watch: object) -> _Opened[AnyChannel]:
        """Count a watch on the first channel with room; of two threads that want the last, both may go on."""
        all_opened = self._opened()
        for opened in tuple(all_opened):
            opened.watches.add(watch)
            if len(opened.watches) <= WATCHES_PER_CHANNEL_MAX:
                return opened
            opened.watches.discard(watch)
        opened = _Opened(self._open(), watches={watch})
        all_opened.append(opened)
        return opened

    def _drop_unused(self, opened: _Opened[AnyChannel]) -> None:
        """Let go of a channel that was opened for watches and has none left."""
        all_opened = self._by_process.get(os.getpid(), [])
        if not opened.watches and opened in all_opened[1:]:
            with suppress(ValueError):  # another thread has done so
                all_opened.remove(opened)
