"""A hub whose watches of many batches a test feeds, and what it reads from them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta

from batches.batch import Batch, BatchState
from batches.listing import BatchFilter, Created
from services.progress.selection_watch import EndedSince, News
from services.progress.watch_hub import WatchHub
from tests.unit.progress.memory_store import NOW

SECONDS_MAX = 10.0


def batch(number: int, revision: int = 1, state: BatchState = BatchState.PROCESSING) -> Batch:
    """Return the batch with this key, whose id is `b` with its key."""
    return Batch(
        batch_key=number,
        batch_id=f"b{number}",
        sealed=True,
        announced_jobs=9,
        revision=revision,
        state=state,
        create_time=NOW,
        read_time=NOW,
    )


def ended(number: int, revision: int = 2) -> Batch:
    """Return the batch with this key after its end."""
    return batch(number, revision, BatchState.CANCELLED)


class Scene:
    """A hub, with the test in place of the change feed and of the store."""

    def __init__(self, *under_way: Batch) -> None:
        self.hub = WatchHub(lambda _: None, watches_max=100)
        self.under_way = list(under_way)
        self.loads = 0
        self.seconds = 0

    async def load(self, _most: int) -> list[Batch]:
        """Return the batches under way."""
        self.loads += 1
        return self.under_way

    def tick(self, *changed: Batch, gone: Sequence[str] = (), new: Sequence[Batch] = ()) -> None:
        """Deliver a read of everything; each is a second after the one before."""
        self.seconds += 1
        read = self.hub.begin_read()
        self.hub.deliver(read, list(self.hub.versions()), changed, gone)
        now = NOW + timedelta(seconds=self.seconds)
        self.hub.complete(read, Created(now, 99, [], list(new)))

    def watch(
        self, interval: float = 0.0, since: EndedSince | None = None, **labels: str
    ) -> AsyncGenerator[News, None]:
        """Watch all batches with labels."""
        return self.hub.watch_selection(BatchFilter(labels=labels), self.load, interval, None, since)

    async def begun(self, watch: AsyncGenerator[News, None]) -> list[str]:
        """Return the ids that a watch is sent first, and let its first states be complete."""
        task = asyncio.create_task(first_ids(watch))
        for _ in range(3):
            await turns()
            self.tick()
        return await task


async def first_ids(watch: AsyncGenerator[News, None]) -> list[str]:
    """Return the ids that are sent before the first news without a batch."""
    ids: list[str] = []
    while (news := await next_of(watch)).snapshots:
        ids += [one.batch.batch_id for one in news.snapshots]
    return ids


async def next_of(watch: AsyncGenerator[News, None]) -> News:
    """Return the next news."""
    async with asyncio.timeout(SECONDS_MAX):
        return await anext(watch)


async def turns() -> None:
    """Let all tasks run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def revisions(news: News) -> list[tuple[str, int]]:
    """Return the ids and revisions of news."""
    return [(one.batch.batch_id, one.batch.revision) for one in news.snapshots]
