"""The channel to the progress server, reopened when new certificate files may be needed."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc

from batchprogress._grpc.connection import Connection
from batchprogress.v1 import progress_pb2_grpc

REOPENED_SECONDS_MIN = 1.0
"""The time between two openings: while the server is down, hundreds of watches fail every two seconds."""

Stub: TypeAlias = "progress_pb2_grpc.ProgressServiceAsyncStub"  # known to the type checker only


@dataclass(slots=True, eq=False)
class _Opened:
    channel: grpc.aio.Channel
    opened_at: float = field(default_factory=time.monotonic)
    calls: int = 0


class ProgressChannel:
    """A channel with the current certificate files; calls in progress stay on the channel they began on.

    Nothing is connected before the first call.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._newest = _Opened(connection.open_async())

    @asynccontextmanager
    async def call(self) -> AsyncIterator[Stub]:
        """Return the stub to call while the context is open."""
        used = self._newest
        used.calls += 1
        try:
            yield progress_pb2_grpc.ProgressServiceStub(used.channel)
        except grpc.aio.AioRpcError as error:
            if self._connection.should_reconnect(error.code()):
                self._replace(used)
            raise
        finally:
            used.calls -= 1
            if used is not self._newest and not used.calls:
                await used.channel.close()

    async def close(self) -> None:
        """Close the channel; call it when no call is in progress."""
        await self._newest.channel.close()

    def _replace(self, used: _Opened) -> None:
        """Open another channel, unless one was opened just now."""
        if used is self._newest and time.monotonic() - used.opened_at >= REOPENED_SECONDS_MIN:
            self._newest = _Opened(self._connection.open_async())
