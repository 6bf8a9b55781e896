"""What the hub hands to a watcher: in rising order, from where it left off, newest wins, to the end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest

from batches.batch import Batch, BatchState
from batches.errors import BatchNotFound, DatabaseUnavailable
from services.progress.errors import ShuttingDown
from services.progress.watch_hub import Snapshot, WatchHub
from tests.unit.progress.memory_store import NOW

SECONDS_MAX = 10.0

PROCESSING = Batch(batch_key=1, batch_id="b", sealed=True, announced_jobs=9, create_time=NOW, read_time=NOW)
CANCELLED = replace(PROCESSING, state=BatchState.CANCELLED)


class Feed:
    """A hub and a test in the place of its change feed."""

    def __init__(self) -> None:
        """Begin with nobody watching."""
        self.hub = WatchHub(lambda _: None, watches_max=100)

    def found(self, batch: Batch, revision: int) -> None:
        """Deliver a read that found the batch at a revision."""
        self.hub.deliver(self.hub.begin_read(), ["b"], [replace(batch, revision=revision)], [])

    def found_nothing_new(self) -> None:
        """Deliver a read that found the batch as it was known."""
        self.hub.deliver(self.hub.begin_read(), ["b"], [], [])

    def found_nothing(self) -> None:
        """Deliver a read that found no batch."""
        self.hub.deliver(self.hub.begin_read(), ["b"], [], ["b"])

    def watch(self, after: int = 0, interval: float = 0.0) -> AsyncGenerator[Snapshot, None]:
        """Return a watch of the batch."""
        return self.hub.watch("b", after, interval)


async def next_of(watch: AsyncGenerator[Snapshot, None]) -> "asyncio.Task[int]":
    """Ask for the next revision, and let the watch run until it waits."""

    async def revision() -> int:
        async with asyncio.timeout(SECONDS_MAX):
            return (await anext(watch)).batch.revision

    task = asyncio.create_task(revision())
    await turns()
    return task


async def turns() -> None:
    """Let everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_watch_begins_with_a_read_of_its_own() -> None:
    """What was read before a watch began is not shown to it; the next read is, though nothing is new."""
    feed = Feed()
    async with aclosing(feed.watch()) as first, aclosing(feed.watch()) as second:
        shown = await next_of(first)
        begun_before = feed.hub.begin_read()
        late = await next_of(second)
        feed.hub.deliver(begun_before, ["b"], [replace(PROCESSING, revision=1)], [])
        assert await shown == 1
        await turns()
        assert not late.done()
        feed.found_nothing_new()
        assert await late == 1


async def test_revisions_rise_whatever_a_read_finds() -> None:
    """A read that shows an older revision, as a lagging replica does, is not sent on."""
    feed = Feed()
    async with aclosing(feed.watch()) as watch:
        first = await next_of(watch)
        feed.found(PROCESSING, 3)
        assert await first == 3
        following = await next_of(watch)
        for older in (2, 3):
            feed.found(PROCESSING, older)
            await turns()
            assert not following.done()
        feed.found(PROCESSING, 4)
        assert await following == 4


async def test_a_slow_watcher_is_shown_the_newest() -> None:
    """Of the states that came while it was busy a watcher is sent only the last."""
    feed = Feed()
    async with aclosing(feed.watch()) as watch:
        first = await next_of(watch)
        feed.found(PROCESSING, 1)
        assert await first == 1
        for revision in range(2, 50):
            feed.found(PROCESSING, revision)
        assert await (await next_of(watch)) == 49


async def test_a_watch_resumes_by_revision() -> None:
    """Only what is newer than the revision given comes."""
    feed = Feed()
    async with aclosing(feed.watch(after=5)) as watch:
        following = await next_of(watch)
        feed.found(PROCESSING, 5)
        await turns()
        assert not following.done()
        feed.found(PROCESSING, 6)
        assert await following == 6


async def test_a_change_during_the_interval_comes_after_it_and_the_end_at_once() -> None:
    """An interval holds a change back, but neither the final state nor the end of the stream."""
    feed = Feed()
    async with aclosing(feed.watch(interval=3_600)) as watch:
        first = await next_of(watch)
        feed.found(PROCESSING, 1)
        assert await first == 1
        following = await next_of(watch)
        feed.found(PROCESSING, 2)
        await turns()
        assert not following.done()
        feed.found(CANCELLED, 3)
        assert await following == 3
        with pytest.raises(StopAsyncIteration):
            await anext(watch)


@pytest.mark.parametrize("afterwards", ["a late result", "a deletion", "a stop"])
async def test_a_final_state_ends_the_watch(afterwards: str) -> None:
    """After the final state the stream ends well, whatever has happened since it was sent."""
    feed = Feed()
    async with aclosing(feed.watch()) as watch:
        final = await next_of(watch)
        feed.found(CANCELLED, 7)
        assert await final == 7
        if afterwards == "a late result":
            feed.found(CANCELLED, 8)
        elif afterwards == "a deletion":
            feed.found_nothing()
        else:
            feed.hub.close()
        with pytest.raises(StopAsyncIteration):
            await anext(watch)


async def test_what_ends_a_watch_before_the_end() -> None:
    """A deletion and a stop are told; a store that cannot be read only to those that have just begun."""
    feed = Feed()
    async with aclosing(feed.watch()) as old, aclosing(feed.watch()) as newcomer:
        first = await next_of(old)
        feed.found(PROCESSING, 1)
        assert await first == 1
        following, begun = await next_of(old), await next_of(newcomer)
        feed.hub.fail(["b"])
        with pytest.raises(DatabaseUnavailable):
            await begun
        assert not following.done()
        feed.found_nothing()
        with pytest.raises(BatchNotFound):
            await following
    async with aclosing(feed.watch()) as watch:
        following = await next_of(watch)
        feed.hub.close()
        with pytest.raises(ShuttingDown):
            await following


async def test_watches_leave_nothing_behind() -> None:
    """However a watch ends, and while it waits for what, nothing of it stays."""
    feed = Feed()
    watches = [feed.watch() for _ in range(50)]
    waiting = [await next_of(watch) for watch in watches]
    feed.found(PROCESSING, 1)
    await asyncio.gather(*waiting)
    waiting = [await next_of(watch) for watch in watches]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert feed.hub.watches == 0
    assert feed.hub.revisions() == {}
