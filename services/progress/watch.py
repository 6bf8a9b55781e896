"""One watch: which state of its batch it sends next, and when.

A watch has one flag and no queue: when its flag is set, it sends the newest state. So a slow watcher skips
states and costs no memory.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from batches.batch import Batch, Version
from batches.errors import BatchNotFound, DatabaseUnavailable
from services.progress.errors import HistoryRewound
from services.progress.flag import Flag

if TYPE_CHECKING:
    from services.progress.selection import Selection

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
class Topic:
    """A watched batch, and the flags of its watchers."""

    batch_id: str
    snapshot: Snapshot | None = None
    read: int = 0
    """The number of the newest read of the store that included the batch."""
    gone: bool = False
    unreadable: bool = False
    """Whether the last read of the store failed."""
    lost: bool = False
    """Whether reads have failed for so long that its watchers should ask another server."""
    flags: set[Flag] = field(default_factory=set)
    paused: set[Flag] = field(default_factory=set)
    """The flags of those that are sent no state now, unless it is the last."""
    newcomers: set[Flag] = field(default_factory=set)
    """The flags that wait for a read, whether or not it finds a change."""
    selections: set["Selection"] = field(default_factory=set)
    """The watched selections that the batch belongs to."""

    @property
    def is_watched(self) -> bool:
        """Whether anybody watches the batch."""
        return bool(self.flags or self.selections)

    def wake(self) -> None:
        """Wake all watches."""
        for flag in self.flags:
            flag.set()

    def wake_for(self, batch: Batch) -> None:
        """Wake the watches that may send a state of the batch now: waking all others costs as much again."""
        for flag in self.flags if batch.has_ended else self.flags - self.paused:
            flag.set()

    def wake_newcomers(self) -> None:
        """Wake the watches that wait for a read."""
        for flag in self.newcomers:
            flag.set()
        self.newcomers.clear()


class Watch:
    """Decides what a watcher is sent.

    Args:
        topic: the batch.
        flag: wakes the watch.
        first_read: the number of the first read of the store that counts for it.
        after_revision: the revision that the watcher has.
        min_interval_seconds: the shortest time between two states.

    """

    __slots__ = (
        "_after_revision",
        "_first_read",
        "_flag",
        "_min_interval_seconds",
        "_pause",
        "_sent",
        "_topic",
        "is_over",
    )

    def __init__(
        self,
        topic: Topic,
        flag: Flag,
        *,
        first_read: int,
        after_revision: int,
        min_interval_seconds: float,
    ) -> None:
        self._topic = topic
        self._flag = flag
        self._first_read = first_read
        self._after_revision = after_revision
        self._min_interval_seconds = min_interval_seconds
        self._pause: asyncio.TimerHandle | None = None
        self._sent: Sent | None = None
        self.is_over = False
        """Whether the batch has ended in the last state that the watcher has. What happened since, such as
        a late result or a deletion, does not matter then."""

    def newer(self) -> Snapshot | None:
        """Return the state to send now; None if there is none.

        Raises:
            BatchNotFound: the batch does not exist, was deleted, or was replaced.
            DatabaseUnavailable: the batch could not be read, or not for some time.
            HistoryRewound: a fail-over of the database lost changes that were sent.

        """
        snapshot = self._read()
        if snapshot is None or (self._pause is not None and not snapshot.batch.has_ended):
            return None
        if self._sent is None:
            self._sent = Sent.before(snapshot.batch, self._after_revision)
        is_newer = self._sent.note(snapshot.batch)
        self.is_over = snapshot.batch.has_ended and self._sent.revision == snapshot.batch.revision
        return snapshot if is_newer else None

    def pause(self) -> None:
        """Send no state before the interval has passed, unless the batch has ended."""
        if self._min_interval_seconds:
            self._topic.paused.add(self._flag)
            loop = asyncio.get_running_loop()
            self._pause = loop.call_later(self._min_interval_seconds, self._end_pause)

    async def wait(self) -> None:
        """Wait until the flag is set, or the store has had an older state for too long."""
        await self._flag.wait(None if self._sent is None else self._sent.seconds_left())

    def close(self) -> None:
        """Leave the topic."""
        if self._pause is not None:
            self._pause.cancel()
        for flags in (self._topic.flags, self._topic.paused, self._topic.newcomers):
            flags.discard(self._flag)

    def _end_pause(self) -> None:
        self._pause = None
        self._topic.paused.discard(self._flag)
        snapshot = self._topic.snapshot
        if snapshot is None or self._sent is None or snapshot.batch.version != self._sent.version:
            self._flag.set()

    def _read(self) -> Snapshot | None:
        """Return the newest state from a read that counts; None if there was none."""
        topic = self._topic
        if topic.lost or (topic.unreadable and topic.read < self._first_read):
            raise DatabaseUnavailable
        if topic.read >= self._first_read:
            if topic.gone:
                raise BatchNotFound(topic.batch_id)
            if topic.snapshot is not None:
                return topic.snapshot
        topic.newcomers.add(self._flag)
        return None


@dataclass(slots=True)
class Sent:
    """The last state that a watcher has of a batch, and since when the store has had an older one."""

    batch_id: str
    batch_key: int
    revision: int
    version: Version | None = None
    """The whole version of the state; None before the first one that the watch has seen."""
    older_since: float | None = None
    """On the monotonic clock, in seconds."""

    @classmethod
    def before(cls, first: Batch, after_revision: int) -> "Sent":
        """Return what a watcher has before its first state: of a batch with fewer revisions, nothing."""
        return cls(first.batch_id, first.batch_key, after_revision if first.revision >= after_revision else 0)

    @classmethod
    def of(cls, batch: Batch) -> "Sent":
        """Return what a watcher has that was sent a state."""
        return cls(batch.batch_id, batch.batch_key, batch.revision, batch.version)

    def note(self, batch: Batch) -> bool:
        """Note the state that the store has now; return whether it is newer and to be sent.

        Raises:
            BatchNotFound: the batch was replaced.
            HistoryRewound: the store has had an older state for too long.

        """
        if batch.batch_key != self.batch_key:
            raise BatchNotFound(self.batch_id)
        if batch.revision >= self.revision:
            is_rewound = self.version not in {None, batch.version}  # if the revision is the same
            is_newer = batch.revision > self.revision or is_rewound
            self.revision, self.version, self.older_since = batch.revision, batch.version, None
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
