"""The watched batches in their newest known states, and who is told when they change."""

import time
from collections.abc import Iterable

from batches.batch import UNREAD, Batch, Version
from services.progress.watch import Snapshot, Topic


class Topics:
    """All watched batches, by id."""

    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}
        self.reads = 0
        """The number of reads of the store that have begun."""

    def of(self, batch_id: str) -> Topic:
        """Return the topic of a batch."""
        return self._topics.setdefault(batch_id, Topic(batch_id))

    def release(self, topic: Topic) -> None:
        """Forget a batch if nobody watches it any longer."""
        if not topic.is_watched and self._topics.get(topic.batch_id) is topic:
            del self._topics[topic.batch_id]

    def versions(self) -> dict[str, Version]:
        """Return the known version of each watched batch; UNREAD if it was not read yet."""
        return {
            batch_id: topic.snapshot.batch.version if topic.snapshot else UNREAD
            for batch_id, topic in self._topics.items()
        }

    def deliver(
        self, read: int, batch_ids: Iterable[str], changed: Iterable[Batch], gone: Iterable[str]
    ) -> None:
        """Use the result of a read, as `WatchHub.deliver` does."""
        read_at = time.monotonic()
        newest = {batch.batch_id: Snapshot(batch, read_at) for batch in changed}
        missing = set(gone)
        for batch_id, topic in self._known(batch_ids):
            topic.read, topic.gone = read, batch_id in missing
            topic.unreadable = topic.lost = False
            snapshot = newest.get(batch_id)
            topic.snapshot = snapshot or topic.snapshot
            topic.wake_newcomers()
            if topic.gone:
                topic.wake()
            elif snapshot is not None:
                topic.wake_for(snapshot.batch)
            for selection in tuple(topic.selections):
                if topic.gone:
                    selection.remove(topic)
                elif snapshot is not None:
                    selection.take(topic, snapshot)

    def fail(self, batch_ids: Iterable[str], *, for_long: bool) -> None:
        """End watches of these batches, as `WatchHub.fail` does."""
        for _, topic in self._known(batch_ids):
            topic.unreadable, topic.lost = True, for_long
            topic.wake_newcomers()
            if for_long:
                topic.wake()

    def wake(self) -> None:
        """Wake all watches of one batch."""
        for topic in self._topics.values():
            topic.wake()

    def _known(self, batch_ids: Iterable[str]) -> list[tuple[str, Topic]]:
        return [(one, self._topics[one]) for one in batch_ids if one in self._topics]
