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
from services.progress.errors import HistoryRewound, ShuttingDown, TooManyWatches

OLDER_SECONDS_MAX = 10.0
"""How long the store may return an older state than was sent. A database node that lags behind catches up in
seconds; after this time, a fail-over has lost changes, and the watcher begins again with what there is."""


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
    """Whether the last read of the store failed."""
    lost: bool = False
    """Whether reads have failed for so long that its watchers should ask another server."""
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
            after the call; its revision is below after_revision if the batch was replaced, or if a fail-over
            of the database lost changes.

        Raises:
            BatchNotFound: the batch does not exist, was deleted, or was replaced during the watch.
            DatabaseUnavailable: the batch could not be read when the watch began, or for some time.
            HistoryRewound: a fail-over of the database lost changes that were sent.
            ShuttingDown: the hub was closed; continue on another server, after the last revision.
            TooManyWatches: the server has too many open watches.

        """
        first_read = self._reads + 1
        sent: _Sent | None = None
        with self._subscribed(batch_id) as (topic, flag):
            while True:
                snapshot = await self._until_read(topic, flag, batch_id, first_read)
                sent = sent or _Sent.before(snapshot.batch, after_revision)
                if sent.note(snapshot.batch):
                    yield snapshot
                    if snapshot.batch.has_ended:
                        return  # even if a late result, a deletion or a stop has come since
                    await self._pause(topic, flag, min_interval_seconds)
                elif snapshot.batch.has_ended and sent.revision == snapshot.batch.revision:
                    return
                else:
                    await _woken(flag, sent.seconds_left())

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
            topic.read, topic.gone = read, batch_id in missing
            topic.unreadable = topic.lost = False
            topic.snapshot = newest.get(batch_id, topic.snapshot)
            topic.wake_newcomers()
            if topic.gone or batch_id in newest:
                topic.wake()

    def fail(self, batch_ids: Iterable[str], *, for_long: bool = False) -> None:
        """End watches of these batches: the store cannot be read.

        Args:
            batch_ids: the batches that could not be read.
            for_long: whether to end all of their watches. Default: those that have not had a read.

        """
        for _, topic in self._topics_of(batch_ids):
            topic.unreadable, topic.lost = True, for_long
            topic.wake_newcomers()
            if for_long:
                topic.wake()

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

    async def _until_read(
        self, topic: _Topic, flag: asyncio.Event, batch_id: str, first_read: int
    ) -> Snapshot:
        """Wait for the first read of this watch; leave the flag cleared for the next change."""
        while True:
            flag.clear()
            if self._closed:
                raise ShuttingDown
            if topic.lost or (topic.unreadable and topic.read < first_read):
                raise DatabaseUnavailable
            if topic.read >= first_read:
                if topic.gone:
                    raise BatchNotFound(batch_id)
                if topic.snapshot is not None:
                    return topic.snapshot
            topic.newcomers.add(flag)
            await flag.wait()

    async def _pause(self, topic: _Topic, flag: asyncio.Event, seconds: float) -> None:
        """Wait for the interval to pass, the batch to end, or the hub to close."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if (
                self._closed
                or topic.gone
                or topic.lost
                or (topic.snapshot and topic.snapshot.batch.has_ended)
            ):
                return
            flag.clear()
            await _woken(flag, left)

    def _topics_of(self, batch_ids: Iterable[str]) -> list[tuple[str, _Topic]]:
        return [(one, self._topics[one]) for one in batch_ids if one in self._topics]


@dataclass(slots=True)
class _Sent:
    """The last state that a watcher has of a batch, and since when the store has had an older one."""

    batch_id: str
    batch_key: int
    revision: int
    older_since: float | None = None
    """On the monotonic clock, in seconds."""

    @classmethod
    def before(cls, first: Batch, after_revision: int) -> "_Sent":
        """Return what a watcher has before its first state: of a batch with fewer revisions, nothing."""
        return cls(first.batch_id, first.batch_key, after_revision if first.revision >= after_revision else 0)

    def note(self, batch: Batch) -> bool:
        """Note the state that the store has now; return whether it is newer and to be sent.

        Raises:
            BatchNotFound: the batch was replaced.
            HistoryRewound: the store has had an older state for too long.

        """
        if batch.batch_key != self.batch_key:
            raise BatchNotFound(self.batch_id)
        if batch.revision >= self.revision:
            is_newer, self.revision, self.older_since = batch.revision > self.revision, batch.revision, None
            return is_newer
        self.older_since = self.older_since or time.monotonic()
        if self.seconds_left() == 0:
            raise HistoryRewound
        return False

    def seconds_left(self) -> float | None:
        """Return how long to wait for a newer state; None if the store has no older one."""
        if self.older_since is None:
            return None
        return max(0.0, self.older_since + OLDER_SECONDS_MAX - time.monotonic())


async def _woken(flag: asyncio.Event, seconds_max: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds_max):
            await flag.wait()
