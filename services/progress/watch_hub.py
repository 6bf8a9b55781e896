"""The watch hub: the newest state of each watched batch, and its watchers.

The hub learns of changes only from the change feed, by `deliver`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import contextmanager

from batches.batch import UNREAD, Batch, Version
from services.progress.errors import ShuttingDown, TooManyWatches
from services.progress.heartbeats import Heartbeats
from services.progress.watch import Snapshot, Topic, Watch


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
        self._topics: dict[str, Topic] = {}
        self._reads = 0
        self._closed = False
        self._heartbeats = Heartbeats()

    async def watch(
        self,
        batch_id: str,
        after_revision: int,
        min_interval_seconds: float,
        heartbeat_seconds: float | None = None,
    ) -> AsyncGenerator[Snapshot | None, None]:
        """Watch a batch until it has ended.

        Args:
            batch_id: the batch.
            after_revision: the revision that the watcher has; the first state has another one.
            min_interval_seconds: the shortest time between two states; the last state does not wait.
            heartbeat_seconds: the longest time between two yields. Default: none.

        Yields:
            The newest state whenever the revision has risen, or is that of another state since a fail-over of
            the database lost changes; None after heartbeat_seconds without a state.
            The first state is from a read that began after the call; its revision is below after_revision if
            the batch was replaced, or if a fail-over of the database lost changes.

        Raises:
            BatchNotFound: the batch does not exist, was deleted, or was replaced during the watch.
            DatabaseUnavailable: the batch could not be read when the watch began, or for some time.
            HistoryRewound: a fail-over of the database lost changes that were sent.
            ShuttingDown: the hub was closed; continue on another server, after the last revision.
            TooManyWatches: the server has too many open watches.

        """
        first_read = self._reads + 1
        with (
            self._subscribed(batch_id) as (topic, flag),
            self._heartbeats.of_watch(flag, heartbeat_seconds) as heartbeat,
        ):
            watch = Watch(
                topic,
                flag,
                first_read=first_read,
                after_revision=after_revision,
                min_interval_seconds=min_interval_seconds,
            )
            while not watch.is_over:
                flag.clear()
                if self._closed:
                    raise ShuttingDown
                snapshot = watch.newer()
                if snapshot is not None:
                    yield snapshot
                    watch.pause()
                    heartbeat.sent()
                elif heartbeat.seconds_left() <= 0:
                    yield None
                    heartbeat.sent()
                elif not watch.is_over:
                    await watch.wait()

    @property
    def watches(self) -> int:
        """The number of open watches."""
        return self._watches

    def versions(self) -> dict[str, Version]:
        """Return the known version of each watched batch; UNREAD if it was not read yet."""
        return {
            batch_id: topic.snapshot.batch.version if topic.snapshot else UNREAD
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
    def _subscribed(self, batch_id: str) -> Iterator[tuple[Topic, asyncio.Event]]:
        if self._watches >= self._watches_max:
            raise TooManyWatches
        self._watches += 1
        topic = self._topics.setdefault(batch_id, Topic(batch_id))
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

    def _topics_of(self, batch_ids: Iterable[str]) -> list[tuple[str, Topic]]:
        return [(one, self._topics[one]) for one in batch_ids if one in self._topics]
