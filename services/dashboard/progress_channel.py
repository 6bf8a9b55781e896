"""The channel to the progress server, opened anew when a new certificate may be what it needs."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc

from batchprogress._grpc.connection import Connection
from batchprogress.v1 import progress_pb2_grpc

REOPENED_SECONDS_MIN = 1.0
"""From one opening to the next: with the server away, hundreds of watches fail every two seconds."""

Stub: TypeAlias = "progress_pb2_grpc.ProgressServiceAsyncStub"  # known to the type checker only


@dataclass(slots=True, eq=False)
class _Opened:
    channel: grpc.aio.Channel
    opened_at: float = field(default_factory=time.monotonic)
    calls: int = 0


class ProgressChannel:
    """A channel with what the files of the connection hold; calls under way stay on the one they began on."""

    def __init__(self, connection: Connection) -> None:
        """Open it; nothing is connected before the first call."""
        self._connection = connection
        self._newest = _Opened(connection.open_async())

    @asynccontextmanager
    async def call(self) -> AsyncIterator[Stub]:
        """Give what to call, while the context is open."""
        used = self._newest
        used.calls += 1
        try:
            yield progress_pb2_grpc.ProgressServiceStub(used.channel)
        except grpc.aio.AioRpcError as error:
            if self._connection.is_worn(error.code()):
                self._replace(used)
            raise
        finally:
            used.calls -= 1
            if used is not self._newest and not used.calls:
                await used.channel.close()

    async def close(self) -> None:
        """Close it; to be called when no call is under way."""
        await self._newest.channel.close()

    def _replace(self, used: _Opened) -> None:
        """Open another one, unless that was just done."""
        if used is self._newest and time.monotonic() - used.opened_at >= REOPENED_SECONDS_MIN:
            self._newest = _Opened(self._connection.open_async())
