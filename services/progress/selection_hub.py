"""The part of the watch hub for watches of many batches: what each of them is sent next."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from batches.batch import Batch
from batches.errors import DatabaseUnavailable
from batches.listing import BatchFilter, Created
from services.progress.errors import ShuttingDown, TooManyWatches
from services.progress.flag import Flag
from services.progress.heartbeats import Heartbeats
from services.progress.selection import SELECTED_MAX, Selection
from services.progress.selection_watch import EndedSince, News, SelectionWatch
from services.progress.selections import Selections
from services.progress.topics import Topics
from services.progress.wakes import Wakes
from services.progress.watch import Snapshot, Topic

SELECTED_TOTAL_MAX = 200_000
"""Batches in all selections of this server, each counted in every selection that it is in: some 60 MB."""

Load = Callable[[int], Awaitable[Sequence[Batch]]]
"""Reads at most so many batches of a selection that are under way, the newest first."""


class SelectionHub:
    """Hands the newest states of all batches that match a filter to its watchers.

    Args:
        topics: the watched batches.
        heartbeats: wakes watches for their heartbeats.
        wakes: wakes them in turns.

    """

    def __init__(self, topics: Topics, heartbeats: Heartbeats, wakes: Wakes) -> None:
        self._topics = topics
        self._heartbeats = heartbeats
        self._wakes = wakes
        self._selections = Selections()
        self._size = 0
        self._newcomers: set[Flag] = set()
        self._position: datetime | None = None
        self._complete_read = self._failed_read = 0
        self._closed = False

    @property
    def is_watched(self) -> bool:
        """Whether there is any selection."""
        return bool(self._selections)

    async def watch(
        self,
        selected: BatchFilter,
        load: Load,
        min_interval_seconds: float,
        heartbeat_seconds: float | None,
        ended: EndedSince | None,
    ) -> AsyncGenerator[News, None]:
        """Watch a selection, as `WatchHub.watch_selection` does."""
        first_read = self._topics.reads + 1
        with (
            self._watching(selected, min_interval_seconds) as (selection, watch),
            self._heartbeats.of_watch(watch.flag, heartbeat_seconds) as heartbeat,
        ):
            await self._load(selection, watch.flag, load, first_read)
            watch.start(ended, self._position)
            while True:
                watch.flag.clear()
                self._require_open(selection)
                news = watch.next_news() or await watch.next_ended()
                if news is None and not watch.is_complete and self._complete_read >= first_read:
                    watch.is_complete = True
                    news = News()
                elif news is None and heartbeat.seconds_left() <= 0:
                    news = News()
                if news is not None:
                    yield watch.placed(news, self._position)
                    heartbeat.sent()
                    await self._wakes.turn()
                elif not watch.is_reading_ended:
                    if not watch.is_complete:
                        self._newcomers.add(watch.flag)
                    await watch.wait()

    def complete(self, read: int, created: Created) -> None:
        """Use the result of a read of every watched batch and every new one.

        Args:
            read: the number of the read; the states were delivered before.
            created: the new batches, and the time at which the read began.

        """
        read_at = time.monotonic()
        for batch in created.batches:
            snapshot = Snapshot(batch, read_at)
            for selection in self._selections.matching(batch):
                if batch.has_ended:
                    selection.take_ended(snapshot)
                else:
                    self._join(selection, snapshot)
        for selection in self._selections.all():
            selection.check_older()
        self._complete_read = read
        self._position = created.read_time if self._selections else None
        self._wake_newcomers()

    def fail(self, *, for_long: bool) -> None:
        """Note that the store cannot be read; end all watches if that is so for long."""
        self._failed_read = self._topics.reads
        if for_long:
            for selection in self._selections.all():
                selection.fail(DatabaseUnavailable)
        self._wake_newcomers()

    def close(self) -> None:
        """End all watches."""
        self._closed = True
        for selection in self._selections.all():
            selection.wake()
        self._wake_newcomers()

    @contextmanager
    def _watching(
        self, selected: BatchFilter, min_interval_seconds: float
    ) -> Iterator[tuple[Selection, SelectionWatch]]:
        selection = self._selections.of(selected, self._release)
        watch = SelectionWatch(selection, Flag(self._wakes), min_interval_seconds)
        selection.watches.add(watch)
        try:
            yield selection, watch
        finally:
            selection.watches.discard(watch)
            self._newcomers.discard(watch.flag)
            if not selection.watches:
                self._selections.close(selected, selection)
            if not self._selections:
                self._position = None  # new batches are no longer looked for

    async def _load(self, selection: Selection, flag: Flag, load: Load, first_read: int) -> None:
        """Read the batches of a selection, after the feed has begun to look for new ones."""
        while self._position is None:
            flag.clear()
            self._require_open(selection)
            if self._failed_read >= first_read:
                raise DatabaseUnavailable
            self._newcomers.add(flag)
            await flag.wait()
        async with selection.loading:
            if not selection.is_loaded:
                batches = await load(SELECTED_MAX + 1)
                read_at = time.monotonic()
                for batch in batches:
                    self._join(selection, Snapshot(batch, read_at))
                selection.is_loaded = True

    def _require_open(self, selection: Selection) -> None:
        if self._closed:
            raise ShuttingDown
        if selection.failure is not None:
            raise selection.failure()

    def _join(self, selection: Selection, snapshot: Snapshot) -> None:
        """Add a batch to a selection in its newest known state."""
        batch = snapshot.batch
        topic = self._topics.of(batch.batch_id)
        known = topic.snapshot
        if known is None:
            known = topic.snapshot = snapshot
        elif known.batch.batch_key != batch.batch_key:  # it has replaced the known one: all watchers are told
            self._topics.deliver(topic.read, [batch.batch_id], [batch], [])
            known = snapshot
        if not known.batch.has_ended and not selection.knows(batch):
            if self._size < SELECTED_TOTAL_MAX:
                self._size += 1
                selection.add(topic, known)
            else:
                selection.fail(TooManyWatches)
        self._topics.release(topic)

    def _release(self, topic: Topic) -> None:
        """Note that a selection has left a batch."""
        self._size -= 1
        self._topics.release(topic)

    def _wake_newcomers(self) -> None:
        for flag in self._newcomers:
            flag.set()
        self._newcomers.clear()
