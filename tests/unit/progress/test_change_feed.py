"""When the change feed reads what, and the lag it reports."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import replace

import pytest

from batches.batch import Batch, BatchState, Version
from batches.errors import DatabaseUnavailable
from batches.listing import BatchFilter, Created
from services.progress import change_feed
from services.progress.change_feed import ChangeFeed
from services.progress.discovery import Discovery
from services.progress.pending_ids import PendingIds
from services.progress.watch import Snapshot
from services.progress.watch_hub import WatchHub
from tests.unit.progress.memory_store import NOW

SECONDS_MAX = 10.0
BATCH = Batch(batch_key=1, batch_id="b", sealed=True, announced_jobs=9, create_time=NOW, read_time=NOW)


class Store:
    """A store of one batch that counts its reads."""

    def __init__(self) -> None:
        self.batch = BATCH
        self.new: list[Batch] = []
        self.away = self.silent = self.left = False
        self.reads: list[set[str]] = []
        self.looks = 0

    async def read_changed(self, versions: Mapping[str, Version]) -> tuple[list[Batch], list[str]]:
        """Return the batch if its version has changed."""
        self.reads.append(set(versions))
        if self.away:
            raise DatabaseUnavailable
        if self.silent:
            await asyncio.Event().wait()
        return [self.batch] if versions.get("b") != self.batch.version else [], []

    async def read_created(self, _after: int | None, known: Collection[int] | None) -> Created:
        """Return the new batches that are not known."""
        self.looks += 1
        keys = [BATCH.batch_key, *(one.batch_key for one in self.new)]
        unknown = [] if known is None else [one for one in self.new if one.batch_key not in known]
        return Created(NOW, max(keys), keys, unknown)


class RecordedWaits(PendingIds):
    """Pending ids that remember how long the feed was willing to wait for them, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    async def wait(self, seconds_max: float) -> None:
        """Remember the time and wait."""
        self.waits.append(seconds_max)
        await super().wait(seconds_max)


class Scene:
    """A feed with its store, its hub and its pending ids."""

    def __init__(self) -> None:
        self.store, self.pending = Store(), RecordedWaits()
        self.hub = WatchHub(self.pending.add, watches_max=10)
        discovery = Discovery(self.store.read_created)
        self.feed = ChangeFeed(
            self.store.read_changed, discovery, self.hub, self.pending, has_left=lambda: self.store.left
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the feed while the context is open."""
        task = asyncio.create_task(self.feed.run())
        try:
            yield
        finally:
            task.cancel()

    async def reads(self, times: int) -> None:
        """Wait for further reads."""
        until = len(self.store.reads) + times
        async with asyncio.timeout(SECONDS_MAX):
            while len(self.store.reads) < until:  # noqa: ASYNC110  # a read has no event
                await asyncio.sleep(0.001)


def ended(key: int) -> Batch:
    """Return a batch that has ended."""
    return replace(BATCH, batch_key=key, batch_id=f"new-{key}", state=BatchState.CANCELLED)


async def next_revision(watch: AsyncGenerator[Snapshot | None, None]) -> int:
    """Return the next revision that a watch yields."""
    snapshot = await anext(watch)
    assert snapshot is not None
    return snapshot.batch.revision


async def test_change_is_seen_at_the_next_tick_or_at_once_if_its_id_is_pending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A commit of another replica at the next tick, a commit of this server before it."""
    scene = Scene()
    with scene.running():
        async with asyncio.timeout(SECONDS_MAX), aclosing(scene.hub.watch("b", 0, 0.0)) as watch:
            assert await next_revision(watch) == 1
            scene.store.batch = replace(BATCH, revision=2)
            assert await next_revision(watch) == 2
            monkeypatch.setattr(change_feed, "TICK_SECONDS", 3_600.0)
            await scene.reads(1)  # the tick that was due; the next one is in an hour
            scene.store.batch = replace(BATCH, revision=3)
            scene.pending.add(["b"])
            assert await next_revision(watch) == 3


async def test_end_of_a_new_batch_is_told_once_whatever_reads_fail() -> None:
    """Its own read succeeds, and that of the watched batches, which follows, fails."""
    scene = Scene()

    async def load(_most: int) -> list[Batch]:
        return [BATCH]

    async def told() -> list[str]:
        """Return the ids of the next batches that the watch is told of."""
        while not (snapshots := (await anext(watch)).snapshots):
            pass
        return [one.batch.batch_id for one in snapshots]

    with scene.running():
        async with (
            asyncio.timeout(SECONDS_MAX),
            aclosing(scene.hub.watch_selection(BatchFilter(), load, 0.0)) as watch,
        ):
            assert await told() == ["b"]
            for key in (2, 3):
                scene.store.away = True
                scene.store.new.append(ended(key))
                await scene.reads(1)
                scene.store.away = False
                assert await told() == [f"new-{key}"]


async def test_lag_grows_while_the_store_cannot_be_read() -> None:
    """Pending ids of unwatched batches do not count as a read."""
    scene = Scene()
    with scene.running():
        async with asyncio.timeout(SECONDS_MAX), aclosing(scene.hub.watch("b", 0, 0.0)) as watch:
            await anext(watch)
            scene.store.away = True
            await scene.reads(1)
            late = scene.feed.lag_seconds
            for _ in range(3):
                scene.pending.add(["unwatched"])
                await scene.reads(1)
                assert scene.feed.lag_seconds > late
                late = scene.feed.lag_seconds
            scene.store.away = False
            await scene.reads(2)
            assert scene.feed.lag_seconds < late


@pytest.mark.parametrize("trouble", ["away", "silent", "left"])
async def test_watches_end_when_the_store_has_been_unreadable_for_long(
    monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Whether its reads fail, are not answered, or are of a node that left its cluster."""
    monkeypatch.setattr(change_feed, "UNREADABLE_SECONDS_MAX", 0.3)
    scene = Scene()
    with scene.running():
        async with asyncio.timeout(SECONDS_MAX), aclosing(scene.hub.watch("b", 0, 0.0)) as watch:
            await anext(watch)
            setattr(scene.store, trouble, True)
            with pytest.raises(DatabaseUnavailable):
                await anext(watch)


async def test_only_pending_batches_are_read_between_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_feed, "TICK_SECONDS", 3_600.0)
    scene = Scene()
    with scene.running():
        async with (
            asyncio.timeout(SECONDS_MAX),
            aclosing(scene.hub.watch("b", 0, 0.0)) as watch,
            aclosing(scene.hub.watch("other", 0, 0.0)) as other,
        ):
            await anext(watch)
            waiting = asyncio.create_task(anext(other))
            while not (reads := [one for one in scene.store.reads if "other" in one]):  # noqa: ASYNC110  # a read has no event
                await asyncio.sleep(0.001)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
    assert reads[0] == {"other"}


async def test_ticks_become_rarer_with_the_number_of_watched_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """If ticks may read one revision per hour, the next tick of one watched batch is in an hour."""
    monkeypatch.setattr(change_feed, "TICK_REVISIONS_PER_SECOND_MAX", 1 / 3_600)
    scene = Scene()
    with scene.running():
        async with asyncio.timeout(SECONDS_MAX), aclosing(scene.hub.watch("b", 0, 0.0)) as watch:
            await anext(watch)
            while max(scene.pending.waits) < 3_000:  # noqa: ASYNC110  # a wait has no event
                await asyncio.sleep(0.001)
