"""The watch hub: the newest state of each watched batch, and who waits for it.

Each watcher has one flag and no queue: it is told that something is newer, reads the
newest, and sends it. So a slow watcher skips states and costs no memory. The hub learns
of batches only by `deliver`, from the change feed.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from batches.batch import Batch
from batches.errors import BatchNotFound, DatabaseUnavailable
from services.progress.errors import ShuttingDown, TooManyWatches


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Snapshot:
    """A batch as it was read, and when by this process's monotonic clock, in seconds.

    One for all watchers of the batch, compared by identity.
    """

    batch: Batch
    read_at: float

    def database_time(self) -> datetime:
        """Return the database's time now: its clock at the read, carried on by ours."""
        return self.batch.read_time + timedelta(seconds=time.monotonic() - self.read_at)


@dataclass(slots=True, eq=False)
class _Topic:
    """A watched batch and the flags of its watchers."""

    snapshot: Snapshot | None = None
    read: int = 0
    """The number of the newest read of the store that looked at the batch."""
    gone: bool = False
    unreadable: bool = False
    flags: set[asyncio.Event] = field(default_factory=set)
    newcomers: set[asyncio.Event] = field(default_factory=set)
    """Those of the flags that wait for a read, whether or not it finds anything new."""

    def wake(self) -> None:
        for flag in self.flags:
            flag.set()

    def wake_newcomers(self) -> None:
        for flag in self.newcomers:
            flag.set()
        self.newcomers.clear()


class WatchHub:
    """Hands the newest state of batches to their watchers."""

    def __init__(self, look: Callable[[Iterable[str]], None], *, watches_max: int) -> None:
        """Take what asks the change feed to look at batches now."""
        self._look = look
        self._watches_max = watches_max
        self._watches = 0
        self._topics: dict[str, _Topic] = {}
        self._reads = 0
        self._closed = False

    async def watch(
        self, batch_id: str, after_revision: int, min_interval_seconds: float
    ) -> AsyncGenerator[Snapshot, None]:
        """Yield the batch if its revision is above the one given, then whenever it has risen, to its end.

        The first state is from a read that began after the call. States come at most once in
        min_interval_seconds, except the last one, which does not wait.

        Raises:
            BatchNotFound: there is no such batch, or not any more.
            DatabaseUnavailable: the batch could not be read when the watch began.
            ShuttingDown: the hub was closed; watch on elsewhere, after the last revision.
            TooManyWatches: the server holds as many as it may.

        """
        first_read = self._reads + 1
        with self._subscribed(batch_id) as (topic, flag):
            while True:
                await self._readable(topic, flag, batch_id, first_read)
                snapshot = topic.snapshot
                if snapshot and snapshot.batch.revision > after_revision:
                    after_revision = snapshot.batch.revision
                    yield snapshot
                    if snapshot.batch.has_ended:
                        return  # though late results, a deletion or a stop may have come since
                    await self._pause(topic, flag, min_interval_seconds)
                elif snapshot and snapshot.batch.has_ended:
                    return
                else:
                    await flag.wait()

    @property
    def watches(self) -> int:
        """How many there are."""
        return self._watches

    def revisions(self) -> dict[str, int]:
        """Return the revision known of each watched batch; 0 if none is."""
        return {
            batch_id: topic.snapshot.batch.revision if topic.snapshot else 0
            for batch_id, topic in self._topics.items()
        }

    def begin_read(self) -> int:
        """Number a read of the store that is about to begin."""
        self._reads += 1
        return self._reads

    def deliver(
        self, read: int, looked_at: Iterable[str], changed: Iterable[Batch], gone: Iterable[str]
    ) -> None:
        """Take what a read found: of the batches looked at, those that changed and those that are gone."""
        read_at = time.monotonic()
        newest = {batch.batch_id: Snapshot(batch, read_at) for batch in changed}
        missing = set(gone)
        for batch_id, topic in self._topics_of(looked_at):
            topic.read, topic.unreadable, topic.gone = read, False, batch_id in missing
            topic.snapshot = newest.get(batch_id, topic.snapshot)
            topic.wake_newcomers()
            if topic.gone or batch_id in newest:
                topic.wake()

    def fail(self, looked_at: Iterable[str]) -> None:
        """Take that the store could not be read: watches that have just begun end, the others wait."""
        for _, topic in self._topics_of(looked_at):
            topic.unreadable = True
            topic.wake_newcomers()

    def close(self) -> None:
        """End all watches, so that their clients resume elsewhere."""
        self._closed = True
        for topic in self._topics.values():
            topic.wake()

    @contextmanager
    def _subscribed(self, batch_id: str) -> Iterator[tuple[_Topic, asyncio.Event]]:
        if self._watches >= self._watches_max:
            raise TooManyWatches
        self._watches += 1
        topic = self._topics.setdefault(batch_id, _Topic())
        flag = asyncio.Event()
        topic.flags.add(flag)
        topic.unreadable = False
        self._look([batch_id])
        try:
            yield topic, flag
        finally:
            self._watches -= 1
            topic.flags.discard(flag)
            topic.newcomers.discard(flag)
            if not topic.flags:
                del self._topics[batch_id]

    async def _readable(self, topic: _Topic, flag: asyncio.Event, batch_id: str, first_read: int) -> None:
        """Return once the batch was read, with the flag lowered for what comes next."""
        while True:
            flag.clear()
            if self._closed:
                raise ShuttingDown
            if topic.read >= first_read:
                break
            if topic.unreadable:
                raise DatabaseUnavailable
            topic.newcomers.add(flag)
            await flag.wait()
        if topic.gone:
            raise BatchNotFound(batch_id)

    async def _pause(self, topic: _Topic, flag: asyncio.Event, seconds: float) -> None:
        """Wait out the interval, unless the batch ends or the hub closes meanwhile."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._closed or topic.gone or (topic.snapshot and topic.snapshot.batch.has_ended):
                return
            flag.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await flag.wait()

    def _topics_of(self, batch_ids: Iterable[str]) -> list[tuple[str, _Topic]]:
        return [(one, self._topics[one]) for one in batch_ids if one in self._topics]
