"""The states that a watcher gets: rising revisions, resumable, newest only, to the end of the batch."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest

from batches.batch import Batch, BatchState
from batches.errors import BatchNotFound, DatabaseUnavailable
from services.progress import watch as watch_module
from services.progress.errors import HistoryRewound, ShuttingDown
from services.progress.watch import Snapshot
from services.progress.watch_hub import WatchHub
from tests.unit.progress.memory_store import NOW

SECONDS_MAX = 10.0

PROCESSING = Batch(batch_key=1, batch_id="b", sealed=True, announced_jobs=9, create_time=NOW, read_time=NOW)
CANCELLED = replace(PROCESSING, state=BatchState.CANCELLED)


class Feed:
    """A hub, with the test in place of its change feed."""

    def __init__(self, watches_max: int = 100) -> None:
        self.hub = WatchHub(lambda _: None, watches_max=watches_max)

    def found(self, batch: Batch, revision: int) -> None:
        """Deliver a read that found the batch at a revision."""
        self.hub.deliver(self.hub.begin_read(), ["b"], [replace(batch, revision=revision)], [])

    def found_nothing_new(self) -> None:
        """Deliver a read without a change."""
        self.hub.deliver(self.hub.begin_read(), ["b"], [], [])

    def found_nothing(self) -> None:
        """Deliver a read that did not find the batch."""
        self.hub.deliver(self.hub.begin_read(), ["b"], [], ["b"])

    def watch(self, after: int = 0, interval: float = 0.0) -> AsyncGenerator[Snapshot | None, None]:
        """Return a watch of the batch."""
        return self.hub.watch("b", after, interval)


async def next_of(watch: AsyncGenerator[Snapshot | None, None]) -> "asyncio.Task[int]":
    """Request the next revision, and let the watch run until it waits."""

    async def revision() -> int:
        async with asyncio.timeout(SECONDS_MAX):
            snapshot = await anext(watch)
        assert snapshot is not None
        return snapshot.batch.revision

    task = asyncio.create_task(revision())
    await turns()
    return task


async def turns() -> None:
    """Let all tasks run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_watch_begins_with_a_read_that_began_after_it() -> None:
    """An earlier read does not count; the next read does, even without a change."""
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


async def test_older_revision_is_not_sent() -> None:
    """A lagging replica of the database may return one."""
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


@pytest.mark.parametrize("older", [PROCESSING, CANCELLED], ids=["under way", "ended"])
async def test_watch_of_a_rewound_batch_ends_and_goes_on_from_what_is_left(
    monkeypatch: pytest.MonkeyPatch, older: Batch
) -> None:
    """Otherwise the watcher would wait until the batch has as many revisions again, past its end."""
    monkeypatch.setattr(watch_module, "OLDER_SECONDS_MAX", 0.01)
    feed = Feed()
    async with aclosing(feed.watch()) as watch:
        first = await next_of(watch)
        feed.found(PROCESSING, 101)
        assert await first == 101
        following = await next_of(watch)
        feed.found(older, 22)
        with pytest.raises(HistoryRewound):
            await following
    async with aclosing(feed.watch(after=101)) as watch:
        again = await next_of(watch)
        feed.found(older, 22)
        assert await again == 22


@pytest.mark.parametrize("other", [PROCESSING, CANCELLED], ids=["under way", "ended"])
async def test_another_state_at_the_same_revision_is_sent(other: Batch) -> None:
    """A fail-over of the database lost changes, and as many others came before the watch noticed."""
    feed = Feed()
    async with aclosing(feed.watch(after=4)) as watch:
        first = await next_of(watch)
        feed.found(PROCESSING, 5)
        assert await first == 5
        following = await next_of(watch)
        feed.found(PROCESSING, 4)
        feed.found(replace(other, last_result_time=NOW), 5)
        assert await following == 5
        if other.has_ended:
            with pytest.raises(StopAsyncIteration):
                await anext(watch)
        else:
            following = await next_of(watch)
            feed.found(replace(other, last_result_time=NOW), 5)
            await turns()
            assert not following.done()
            feed.found(PROCESSING, 6)
            assert await following == 6


async def test_store_that_catches_up_ends_no_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time counts from the first older state, and begins anew after a newer one."""
    monkeypatch.setattr(watch_module, "OLDER_SECONDS_MAX", 0.2)
    feed = Feed()
    async with aclosing(feed.watch()) as watch:
        first = await next_of(watch)
        feed.found(PROCESSING, 5)
        assert await first == 5
        following = await next_of(watch)
        feed.found(PROCESSING, 4)
        await turns()
        feed.found(PROCESSING, 5)
        await asyncio.sleep(0.4)  # twice the time after which an older state would end the watch
        assert not following.done()
        feed.found(PROCESSING, 6)
        assert await following == 6


async def test_store_that_is_unreadable_for_long_ends_every_watch() -> None:
    """After one failed read only the watches that have no state end."""
    feed = Feed()
    async with aclosing(feed.watch()) as watch:
        first = await next_of(watch)
        feed.found(PROCESSING, 1)
        assert await first == 1
        following = await next_of(watch)
        feed.hub.fail(["b"])
        await turns()
        assert not following.done()
        feed.hub.fail(["b"], for_long=True)
        with pytest.raises(DatabaseUnavailable):
            await following
    async with aclosing(feed.watch(after=1)) as watch:
        following = await next_of(watch)
        feed.found(PROCESSING, 2)
        assert await following == 2


async def test_slow_watcher_gets_only_the_newest_state() -> None:
    feed = Feed()
    async with aclosing(feed.watch()) as watch:
        first = await next_of(watch)
        feed.found(PROCESSING, 1)
        assert await first == 1
        for revision in range(2, 50):
            feed.found(PROCESSING, revision)
        assert await (await next_of(watch)) == 49


async def test_watch_resumes_after_a_revision() -> None:
    """Only newer states are sent."""
    feed = Feed()
    async with aclosing(feed.watch(after=5)) as watch:
        following = await next_of(watch)
        feed.found(PROCESSING, 5)
        await turns()
        assert not following.done()
        feed.found(PROCESSING, 6)
        assert await following == 6


async def test_replaced_batch_ends_its_watches() -> None:
    """The stream never mixes the states of two batches, whatever the revision of the new one."""
    for revision in (1, 7, 9):
        feed = Feed()
        async with aclosing(feed.watch()) as watch:
            first = await next_of(watch)
            feed.found(PROCESSING, 7)
            assert await first == 7
            following = await next_of(watch)
            feed.found(replace(PROCESSING, batch_key=2), revision)
            with pytest.raises(BatchNotFound):
                await following


async def test_watch_after_a_higher_revision_begins_with_the_new_batch() -> None:
    """Otherwise the watcher would wait until the new batch has as many revisions as the replaced one."""
    feed = Feed()
    async with aclosing(feed.watch(after=50)) as watch:
        first = await next_of(watch)
        feed.found(PROCESSING, 1)
        assert await first == 1
        feed.found(CANCELLED, 2)
        assert await (await next_of(watch)) == 2


async def test_interval_delays_changes_but_not_the_end() -> None:
    """The final state and the end of the stream come at once."""
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
async def test_final_state_ends_the_watch(afterwards: str) -> None:
    """The stream ends without an error, even if more has happened since the state was sent."""
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


async def test_deletion_and_stop_end_a_watch() -> None:
    """A failed read ends only watches that have not had a read yet."""
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


async def test_cancelled_watches_leave_nothing_behind() -> None:
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
    assert feed.hub.versions() == {}
