"""The one watch of the story: a stream that is opened once and stays open until the server ends it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import grpc

from batchprogress.v1 import progress_pb2 as pb
from demo.processes import StoryError
from demo.progress import Progress

WAIT_SECONDS_MAX = 30.0
"""News travels in milliseconds, so news that takes longer than the whole story will not come."""


class Watch:
    """The newest state of a batch, as one stream tells it."""

    def __init__(self, show: Callable[[pb.Batch], None]) -> None:
        """Take what shows each state as it comes."""
        self._show = show
        self._news = asyncio.Condition()
        self._end: grpc.StatusCode | None = None
        self.batch = pb.Batch()
        self.revisions: list[int] = []

    @property
    def revisions_rise(self) -> bool:
        """Whether each message was newer than the one before."""
        return all(before < after for before, after in pairwise(self.revisions))

    async def until(self, reached: Callable[[pb.Batch], bool]) -> pb.Batch:
        """Return the first state that is as wanted."""
        await self._wait(lambda: reached(self.batch) or self._end is not None)
        if not reached(self.batch):
            raise StoryError(f"the watch ended ({self._end}) at {done(self.batch)}/{self.batch.total_jobs}")
        return self.batch

    async def ended_well(self) -> bool:
        """Tell, once the stream has ended, whether the server ended it, with OK."""
        await self._wait(lambda: self._end is not None)
        return self._end is grpc.StatusCode.OK

    async def read(self, progress: Progress, batch_id: str) -> None:
        """Read the stream to its end."""
        stream = progress.WatchBatch(pb.WatchBatchRequest(batch_id=batch_id))
        try:
            async for message in stream:
                await self._take(message.batch)
            await self._finish(grpc.StatusCode.OK)
        except grpc.aio.AioRpcError as error:
            await self._finish(error.code())

    async def _take(self, batch: pb.Batch) -> None:
        async with self._news:
            self.batch = batch
            self.revisions.append(batch.revision)
            self._show(batch)
            self._news.notify_all()

    async def _finish(self, end: grpc.StatusCode) -> None:
        async with self._news:
            self._end = end
            self._news.notify_all()

    async def _wait(self, come: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX), self._news:
                await self._news.wait_for(come)
        except TimeoutError:
            where = f"{done(self.batch)}/{self.batch.total_jobs}"
            raise StoryError(f"the watch stands at {where} for {WAIT_SECONDS_MAX:.0f} s") from None


def done(batch: pb.Batch) -> int:
    """Return how many jobs of a batch have a result."""
    return batch.total_jobs - batch.pending_jobs


@asynccontextmanager
async def watching(
    progress: Progress, batch_id: str, show: Callable[[pb.Batch], None]
) -> AsyncIterator[Watch]:
    """Watch a batch while the context is open."""
    watch = Watch(show)
    reading = asyncio.create_task(watch.read(progress, batch_id))
    try:
        yield watch
    finally:
        reading.cancel()
        await asyncio.wait([reading])
