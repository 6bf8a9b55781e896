"""A selection: the batches under way that match a filter. All watches with the filter share it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from batches.batch import Batch
from batches.listing import BatchFilter
from services.progress.errors import HistoryRewound, TooManyBatches
from services.progress.watch import Sent, Snapshot, Topic

if TYPE_CHECKING:
    from services.progress.selection_watch import SelectionWatch

SELECTED_MAX = 1_000
"""Batches under way in one selection: some screens of bars, and 300 KB for each new watcher."""


@dataclass(slots=True, eq=False)
class _Member:
    topic: Topic
    sent: Sent


class Selection:
    """The batches under way that match a filter.

    Args:
        selected: the filter; its state does not count.
        release: gets each topic that the selection has left.

    """

    def __init__(self, selected: BatchFilter, release: Callable[[Topic], None]) -> None:
        self._selected = selected
        self._release = release
        self._members: dict[str, _Member] = {}
        self._older: set[str] = set()
        self.watches: set[SelectionWatch] = set()
        self.loading = asyncio.Lock()
        self.is_loaded = False
        self.failure: Callable[[], Exception] | None = None
        """Makes the error that ends its watches; None while they may go on."""

    @property
    def size(self) -> int:
        """The number of its batches."""
        return len(self._members)

    @property
    def newest_first(self) -> list[str]:
        """The ids of its batches, the newest first."""
        return sorted(self._members, key=lambda one: -self._members[one].sent.batch_key)

    def selects(self, batch: Batch) -> bool:
        """Return whether a batch matches the filter."""
        return batch.batch_id.startswith(self._selected.id_prefix) and all(
            batch.labels.get(key) == value for key, value in self._selected.labels.items()
        )

    def knows(self, batch: Batch) -> bool:
        """Return whether a batch is one of its own."""
        member = self._members.get(batch.batch_id)
        return member is not None and member.sent.batch_key == batch.batch_key

    def snapshot(self, batch_id: str) -> Snapshot | None:
        """Return the newest state of one of its batches; None if it is no longer one of them."""
        member = self._members.get(batch_id)
        return None if member is None else member.topic.snapshot

    def add(self, topic: Topic, snapshot: Snapshot) -> None:
        """Add a batch that matches, in its newest state."""
        self._members[topic.batch_id] = _Member(topic, Sent.of(snapshot.batch))
        topic.selections.add(self)
        for watch in self.watches:
            watch.note_change(topic.batch_id)
        if len(self._members) > SELECTED_MAX:
            self.fail(partial(TooManyBatches, SELECTED_MAX))

    def take_ended(self, snapshot: Snapshot) -> None:
        """Take over the end of a batch that matches and ended before it became one of its own."""
        self._end(snapshot.batch.batch_id, snapshot)

    def take(self, topic: Topic, snapshot: Snapshot) -> None:
        """Take over a state of one of its batches."""
        batch, member = snapshot.batch, self._members[topic.batch_id]
        if batch.batch_key == member.sent.batch_key:
            try:
                is_newer = member.sent.note(batch)
            except HistoryRewound:
                self.fail(HistoryRewound)
                return
        elif self.selects(batch):  # it has replaced the one that is gone
            member.sent, is_newer = Sent.of(batch), True
        else:
            self.remove(topic)
            return
        if not is_newer:
            self._older.add(batch.batch_id)
        elif batch.has_ended:
            self._leave(topic)
            self._end(batch.batch_id, snapshot)
        else:
            for watch in self.watches:
                watch.note_change(batch.batch_id)

    def remove(self, topic: Topic) -> None:
        """Remove a batch that was deleted."""
        self._leave(topic)
        self._end(topic.batch_id, None)

    def check_older(self) -> None:
        """End the watches if the store has had an older state of a batch for too long."""
        for batch_id in tuple(self._older):
            member = self._members.get(batch_id)
            seconds = None if member is None else member.sent.seconds_left()
            if seconds is None:
                self._older.discard(batch_id)
            elif seconds == 0:
                self.fail(HistoryRewound)

    def fail(self, failure: Callable[[], Exception]) -> None:
        """End its watches."""
        self.failure = failure
        self.wake()

    def wake(self) -> None:
        """Wake its watches."""
        for watch in self.watches:
            watch.flag.set()

    def close(self) -> None:
        """Leave all topics: nobody watches any longer."""
        for member in tuple(self._members.values()):
            self._leave(member.topic)

    def _leave(self, topic: Topic) -> None:
        del self._members[topic.batch_id]
        topic.selections.discard(self)
        self._release(topic)

    def _end(self, batch_id: str, snapshot: Snapshot | None) -> None:
        for watch in self.watches:
            watch.note_end(batch_id, snapshot)
