"""When the feed reads, and how late it says it is."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import replace

import pytest

from batches.batch import Batch
from batches.errors import DatabaseUnavailable
from services.progress import change_feed
from services.progress.change_feed import ChangeFeed
from services.progress.pending_ids import PendingIds
from services.progress.watch_hub import WatchHub
from tests.unit.progress.memory_store import NOW

SECONDS_MAX = 10.0
BATCH = Batch(batch_key=1, batch_id="b", sealed=True, announced_jobs=9, create_time=NOW, read_time=NOW)


class Store:
    """One batch, read as often as the feed looks."""

    def __init__(self) -> None:
        """Begin with the batch at its first revision, and readable."""
        self.batch = BATCH
        self.away = False
        self.looks = 0

    async def read_changed(self, revisions: Mapping[str, int]) -> tuple[list[Batch], list[str]]:
        """Return the batch if its revision is another one."""
        self.looks += 1
        if self.away:
            raise DatabaseUnavailable
        return [self.batch] if revisions.get("b") != self.batch.revision else [], []


class Scene:
    """A feed with its store, its hub and what nudges it."""

    def __init__(self) -> None:
        """Put them together."""
        self.store, self.pending = Store(), PendingIds()
        self.hub = WatchHub(self.pending.add, watches_max=10)
        self.feed = ChangeFeed(self.store.read_changed, self.hub, self.pending)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the feed run while the context is open."""
        task = asyncio.create_task(self.feed.run())
        try:
            yield
        finally:
            task.cancel()

    async def looked(self, times: int) -> None:
        """Return when the feed has looked so many times more."""
        until = self.store.looks + times
        async with asyncio.timeout(SECONDS_MAX):
            while self.store.looks < until:  # noqa: ASYNC110  # of a feed that tells nobody when it looks
                await asyncio.sleep(0.001)


async def test_a_change_is_seen_without_a_nudge_and_at_once_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watcher is shown the commit of another replica at a tick, and one of this server before it."""
    scene = Scene()
    with scene.running():
        async with asyncio.timeout(SECONDS_MAX), aclosing(scene.hub.watch("b", 0, 0.0)) as watch:
            assert (await anext(watch)).batch.revision == 1
            scene.store.batch = replace(BATCH, revision=2)
            assert (await anext(watch)).batch.revision == 2
            monkeypatch.setattr(change_feed, "TICK_SECONDS", 3_600.0)
            await scene.looked(1)  # the tick that was due; the next is in an hour
            scene.store.batch = replace(BATCH, revision=3)
            scene.pending.add(["b"])
            assert (await anext(watch)).batch.revision == 3


async def test_a_feed_that_cannot_read_is_late_whatever_nudges_it() -> None:
    """Commits of batches that nobody watches do not make up for a store that cannot be read."""
    scene = Scene()
    with scene.running():
        async with asyncio.timeout(SECONDS_MAX), aclosing(scene.hub.watch("b", 0, 0.0)) as watch:
            await anext(watch)
            scene.store.away = True
            await scene.looked(1)
            late = scene.feed.lag_seconds
            for _ in range(3):
                scene.pending.add(["unwatched"])
                await scene.looked(1)
                assert scene.feed.lag_seconds > late
                late = scene.feed.lag_seconds
            scene.store.away = False
            await scene.looked(2)
            assert scene.feed.lag_seconds < late
