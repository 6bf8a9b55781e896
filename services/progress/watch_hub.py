"""The watch hub: the newest state of each watched batch, and its watchers.

Each watcher has one flag and no queue: when its flag is set, it reads the newest state and
sends it. So a slow watcher skips states and costs no memory. The hub learns of changes
only from the change feed, by `deliver`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from batches.batch import Batch, Version
from batches.errors import BatchNotFound, DatabaseUnavailable
from services.progress.errors import ShuttingDown, TooManyWatches


@dataclass(slots=True, eq=False)
class Snapshot:
    """A batch as it was read. All watchers of the batch share it."""

    batch: Batch
    read_at: float
    """On the monotonic clock of this process, in seconds."""
    shared: Any = None
    """What the edge made of the snapshot, kept for the next watcher; the hub does not look at it."""

    def database_time(self) -> datetime:
        """Return the current time of the database: its clock at the read, advanced by ours."""
        return self.batch.read_time + timedelta(seconds=time.monotonic() - self.read_at)


@dataclass(slots=True, eq=False)
class _Topic:
    """A watched batch, and the flags of its watchers."""

    snapshot: Snapshot | None = None
    read: int = 0
    """The number of the newest read of the store that included the batch."""
    gone: bool = False
    unreadable: bool = False
    flags: set[asyncio.Event] = field(default_factory=set)
    newcomers: set[asyncio.Event] = field(default_factory=set)
    """The flags that wait for a read, whether or not it finds a change."""

    def wake(self) -> None:
        for flag in self.flags:
            flag.set()

    def wake_newcomers(self) -> None:
        for flag in self.newcomers:
            flag.set()
        self.newcomers.clear()


class WatchHub:
    """Hands the newest states of batches to their watchers.

    Args:
        request_read: asks the change feed to read batches now.
        watches_max: the open watches of this server.

    """

    def __init__(self, request_read: Callable[[Iterable[str]], None], *, watches_max: int) -> None:
        self._request_read = request_read
        self._watches_max = watches_max
        self._watches = 0
        self._topics: dict[str, _Topic] = {}
        self._reads = 0
        self._closed = False

    async def watch(
        self, batch_id: str, after_revision: int, min_interval_seconds: float
    ) -> AsyncGenerator[Snapshot, None]:
        """Watch a batch until it has ended.

        Args:
            batch_id: the batch.
            after_revision: the revision that the watcher has; the first state has another one.
            min_interval_seconds: the shortest time between two states; the last state does not wait.

        Yields:
            The newest state whenever the revision has risen. The first state is from a read that began
            after the call; its revision is below after_revision if the batch was replaced.

        Raises:
            BatchNotFound: the batch does not exist, was deleted, or was replaced during the watch.
            DatabaseUnavailable: the batch could not be read when the watch began.
            ShuttingDown: the hub was closed; continue on another server, after the last revision.
            TooManyWatches: the server has too many open watches.

        """
        first_read = self._reads + 1
        watched: int | None = None
        with self._subscribed(batch_id) as (topic, flag):
            while True:
                await self._until_read(topic, flag, batch_id, first_read)
                snapshot = topic.snapshot
                if snapshot and watched is None:
                    watched = snapshot.batch.batch_key
                    after_revision = _floor(snapshot.batch, after_revision)
                if snapshot and snapshot.batch.batch_key != watched:
                    raise BatchNotFound(batch_id)
                if snapshot and snapshot.batch.revision > after_revision:
                    after_revision = snapshot.batch.revision
                    yield snapshot
                    if snapshot.batch.has_ended:
                        return  # even if a late result, a deletion or a stop has come since
                    await self._pause(topic, flag, min_interval_seconds)
                elif snapshot and snapshot.batch.has_ended:
                    return
                else:
                    await flag.wait()

    @property
    def watches(self) -> int:
        """The number of open watches."""
        return self._watches

    def versions(self) -> dict[str, Version]:
        """Return the known version of each watched batch; (0, 0) if it was not read yet."""
        return {
            batch_id: topic.snapshot.batch.version if topic.snapshot else (0, 0)
            for batch_id, topic in self._topics.items()
        }

    def begin_read(self) -> int:
        """Return the number of a read of the store that is about to begin."""
        self._reads += 1
        return self._reads

    def deliver(
        self, read: int, batch_ids: Iterable[str], changed: Iterable[Batch], gone: Iterable[str]
    ) -> None:
        """Use the result of a read.

        Args:
            read: the number of the read.
            batch_ids: the batches that were read.
            changed: those of them with a new revision.
            gone: the ids of those that no longer exist.

        """
        read_at = time.monotonic()
        newest = {batch.batch_id: Snapshot(batch, read_at) for batch in changed}
        missing = set(gone)
        for batch_id, topic in self._topics_of(batch_ids):
            topic.read, topic.unreadable, topic.gone = read, False, batch_id in missing
            topic.snapshot = newest.get(batch_id, topic.snapshot)
            topic.wake_newcomers()
            if topic.gone or batch_id in newest:
                topic.wake()

    def fail(self, batch_ids: Iterable[str]) -> None:
        """End the watches of these batches that have not had a read: the store cannot be read."""
        for _, topic in self._topics_of(batch_ids):
            topic.unreadable = True
            topic.wake_newcomers()

    def close(self) -> None:
        """End all watches, so that their clients resume on another server."""
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
        self._request_read([batch_id])
        try:
            yield topic, flag
        finally:
            self._watches -= 1
            topic.flags.discard(flag)
            topic.newcomers.discard(flag)
            if not topic.flags:
                del self._topics[batch_id]

    async def _until_read(self, topic: _Topic, flag: asyncio.Event, batch_id: str, first_read: int) -> None:
        """Wait for the first read of this watch; leave the flag cleared for the next change."""
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
        """Wait for the interval to pass, the batch to end, or the hub to close."""
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


def _floor(batch: Batch, after_revision: int) -> int:
    """Return the revision above which states of the batch are sent: of another batch, all states."""
    return after_revision if batch.revision >= after_revision else 0
