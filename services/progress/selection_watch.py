"""One watch of a selection: which states it sends next, and when.

It keeps the ids of the batches that have changed, and no states: when it sends one, it sends the newest. Only
ends are kept, since a watcher has to see each of them.
"""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from batches.batch import Batch
from services.progress.errors import WatchTooSlow
from services.progress.flag import Flag
from services.progress.selection import Selection
from services.progress.watch import Snapshot

UNSENT_ENDS_MAX = 1_000
"""Ends that are kept for a watcher that does not read: as many as batches that it may watch."""
CHUNK_BATCHES = 100
"""Batches that are sent before others get their turn; what the reconciler found is read for all of them at
once."""


@dataclass(frozen=True, slots=True)
class News:
    """What a watcher of a selection is sent next."""

    snapshots: tuple[Snapshot, ...] = ()
    gone: tuple[str, ...] = ()
    """The ids of batches that were deleted before their end was sent."""
    position_before: datetime | None = None
    """Up to which time, by the database's clock, the watcher had every end before."""
    position: datetime | None = None
    """Up to which time it has every end, with the last of these batches."""


@dataclass(frozen=True, slots=True)
class EndedSince:
    """The batches that have ended since another watch, read while they are sent."""

    since: datetime
    """The position of the other watch."""
    pages: AsyncIterator[Sequence[Batch]]


class SelectionWatch:
    """Decides what one watcher of a selection is sent, and when.

    Args:
        selection: the batches.
        flag: wakes the watch.
        min_interval_seconds: the shortest time between two states of a batch.

    """

    def __init__(self, selection: Selection, flag: Flag, min_interval_seconds: float) -> None:
        self._selection = selection
        self.flag = flag
        self._min_interval_seconds = min_interval_seconds
        self._ready: dict[str, None] = {}
        self._paused: dict[str, float] = {}
        self._changed: set[str] = set()
        self._ends: dict[str, Snapshot | None] = {}
        self._is_too_slow = False
        self._ended: AsyncIterator[Sequence[Batch]] | None = None
        self._position: datetime | None = None
        self.is_complete = False
        """Whether the first states were all sent."""

    def start(self, ended: EndedSince | None, position: datetime | None) -> None:
        """Begin with all batches of the selection.

        Args:
            ended: the batches that have ended since another watch.
            position: the time up to which the hub knows every end.

        """
        self._ready = dict.fromkeys(self._selection.newest_first)
        self._position = position
        if ended is not None:
            self._ended, self._position = aiter(ended.pages), ended.since

    def note_change(self, batch_id: str) -> None:
        """Note that a batch has a newer state."""
        if self._paused.get(batch_id, 0.0) <= time.monotonic():
            self._ready[batch_id] = None
            self.flag.set()
            return
        if not self._changed:  # the watch does not yet wait for the end of a pause
            self.flag.set()
        self._changed.add(batch_id)

    def note_end(self, batch_id: str, snapshot: Snapshot | None) -> None:
        """Note the last state of a batch; None if it was deleted."""
        self._ready.pop(batch_id, None)
        self._paused.pop(batch_id, None)
        self._changed.discard(batch_id)
        self._ends[batch_id] = snapshot
        if len(self._ends) > UNSENT_ENDS_MAX:
            self._is_too_slow = True
            self._ends.clear()
        self.flag.set()

    @property
    def is_reading_ended(self) -> bool:
        """Whether batches that have ended before are still to be sent."""
        return self._ended is not None

    async def next_ended(self) -> News | None:
        """Return the next batches that have ended before; None if there are none."""
        if self._ended is None:
            return None
        page = await anext(self._ended, None)
        if page is None:
            self._ended = None
            return None
        read_at = time.monotonic()
        found = tuple(Snapshot(one, read_at) for one in page if self._selection.selects(one))
        return News(found) if found else None

    def placed(self, news: News, position: datetime | None) -> News:
        """Return news with what the watcher has before and after it.

        Args:
            news: what is sent now.
            position: the time up to which the hub knows every end.

        """
        before = self._position
        if self._ended is None and not self._ends:
            self._position = position
        return replace(news, position_before=before, position=self._position)

    def next_news(self) -> News | None:
        """Return what to send now, ends first; None if there is nothing, or a pause.

        Raises:
            WatchTooSlow: batches ended faster than the watcher reads.

        """
        if self._is_too_slow:
            raise WatchTooSlow
        if self._ends:
            return self._next_ends()
        snapshots = self._next_changes()
        return News(snapshots) if snapshots else None

    def _next_ends(self) -> News:
        ids = list(self._ends)[:CHUNK_BATCHES]
        ends = {batch_id: self._ends.pop(batch_id) for batch_id in ids}
        return News(
            tuple(snapshot for snapshot in ends.values() if snapshot is not None),
            tuple(batch_id for batch_id, snapshot in ends.items() if snapshot is None),
        )

    def _next_changes(self) -> tuple[Snapshot, ...]:
        now = time.monotonic()
        self._end_pauses(now)
        snapshots: list[Snapshot] = []
        for batch_id in list(islice(self._ready, CHUNK_BATCHES)):
            del self._ready[batch_id]
            snapshot = self._selection.snapshot(batch_id)
            if snapshot is not None:
                snapshots.append(snapshot)
                if self._min_interval_seconds:
                    self._paused[batch_id] = now + self._min_interval_seconds
        return tuple(snapshots)

    def _end_pauses(self, now: float) -> None:
        """End the pauses that are over: the first ones, since all are of the same length."""
        while self._paused and next(iter(self._paused.values())) <= now:
            batch_id = next(iter(self._paused))
            del self._paused[batch_id]
            if batch_id in self._changed:
                self._changed.discard(batch_id)
                self._ready[batch_id] = None

    async def wait(self) -> None:
        """Wait until the flag is set, or a state may be sent whose batch had a pause."""
        seconds = next(iter(self._paused.values())) - time.monotonic() if self._changed else None
        await self.flag.wait(seconds)
