"""The one watch of the story: a stream that is opened once and stays open until the server ends it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

from batchprogress import AsyncClient, Batch
from batchprogress.errors import CallFailed
from demo.processes import StoryError

WAIT_SECONDS_MAX = 30.0
"""Changes arrive within milliseconds, and the whole story takes less than this."""


class Watch:
    """The latest state of a batch, as one stream delivers it.

    Args:
        show: Called with each state.

    """

    def __init__(self, show: Callable[[Batch], None]) -> None:
        self._show = show
        self._changed = asyncio.Condition()
        self._states: list[Batch] = []
        self._end = ""

    @property
    def batch(self) -> Batch:
        """The latest state."""
        return self._states[-1]

    @property
    def revisions(self) -> list[int]:
        """The revision of each state."""
        return [batch.revision for batch in self._states]

    @property
    def revisions_rise(self) -> bool:
        """Whether each state is newer than the one before."""
        return all(before < after for before, after in pairwise(self.revisions))

    async def until(self, reached: Callable[[Batch], bool]) -> Batch:
        """Wait for a state and return it.

        Raises:
            StoryError: the stream ended before, or nothing changes any more.

        """
        await self._wait(lambda: self._end != "" or self._has(reached))
        if not self._has(reached):
            raise StoryError(f"the watch ended ({self._end}) at {self._progress()}")
        return self.batch

    async def ended_well(self) -> bool:
        """Wait for the end of the stream; return whether the server ended it with OK."""
        await self._wait(lambda: self._end != "")
        return self._end == "OK"

    async def read(self, client: AsyncClient, batch_id: str) -> None:
        """Read the stream to its end."""
        try:
            async for batch in client.watch(batch_id):
                async with self._changed:
                    self._states.append(batch)
                    self._show(batch)
                    self._changed.notify_all()
        except CallFailed as error:
            await self._finish(error.reason)
        else:
            await self._finish("OK")

    async def _finish(self, end: str) -> None:
        async with self._changed:
            self._end = end
            self._changed.notify_all()

    async def _wait(self, has_come: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX), self._changed:
                await self._changed.wait_for(has_come)
        except TimeoutError:
            raise StoryError(
                f"the watch has stopped at {self._progress()} for {WAIT_SECONDS_MAX:.0f} s"
            ) from None

    def _has(self, reached: Callable[[Batch], bool]) -> bool:
        return bool(self._states) and reached(self.batch)

    def _progress(self) -> str:
        return f"{self.batch.ended_jobs}/{self.batch.total_jobs}" if self._states else "its beginning"


@asynccontextmanager
async def watching(client: AsyncClient, batch_id: str, show: Callable[[Batch], None]) -> AsyncIterator[Watch]:
    """Watch a batch while the context is open."""
    watch = Watch(show)
    reading = asyncio.create_task(watch.read(client, batch_id))
    try:
        yield watch
    finally:
        reading.cancel()
        await asyncio.wait([reading])
