"""The channel of a client: opened by its first call, once a process, and again with newer certificates."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import grpc

from batchprogress import _green_threads
from batchprogress._grpc.connection import Connection
from batchprogress._grpc.retry import Failure
from batchprogress.errors import GrpcUnusable

REOPENED_SECONDS_MIN = 1.0
"""The least time between two openings: without a server, hundreds of watches fail again and again."""

AnyChannel = TypeVar("AnyChannel", grpc.Channel, grpc.aio.Channel)


@dataclass(frozen=True, slots=True)
class _Opened(Generic[AnyChannel]):
    channel: AnyChannel
    opened_at: float = field(default_factory=time.monotonic)


class Channels(Generic[AnyChannel]):
    """Holds a channel for each process that uses a client.

    A child that was forked gets a channel of its own; its parent's stays here, since it may be neither closed
    nor collected in the child. There is no lock that a fork could leave locked: of two threads that open the
    first channel at the same time, one uses the other's.

    A channel that was replaced is closed when the last call that uses it lets go of it: gRPC closes a channel
    that nobody refers to.
    """

    def __init__(self, connection: Connection, open_channel: Callable[[], AnyChannel]) -> None:
        self._connection = connection
        self._open: Callable[[], AnyChannel] = open_channel
        self._by_process: dict[int, _Opened[AnyChannel]] = {}
        self.closings = 0
        """How often the channel was closed: a call that sees the number change was made before."""

    def get(self) -> AnyChannel:
        """Return the channel of this process.

        Raises:
            GrpcUnusable: it cannot be used here.

        """
        if complaint := _green_threads.complaint_about_thread():
            raise GrpcUnusable(complaint)
        pid = os.getpid()
        opened = self._by_process.get(pid)
        if opened is None:
            opened = self._by_process.setdefault(pid, _Opened(self._open()))
        return opened.channel

    def reopen_after(self, failure: Failure, channel: AnyChannel) -> None:
        """Replace a channel on which a call failed, if newer certificates may help."""
        if not self._connection.should_reconnect(failure):
            return
        pid = os.getpid()
        opened = self._by_process.get(pid)
        if opened is None or opened.channel is not channel:
            return
        if time.monotonic() - opened.opened_at >= REOPENED_SECONDS_MIN:
            self._by_process[pid] = _Opened(self._open())

    def pop(self) -> AnyChannel | None:
        """Remove and return the channel of this process; the next call opens another one."""
        self.closings += 1
        opened = self._by_process.pop(os.getpid(), None)
        return None if opened is None else opened.channel
