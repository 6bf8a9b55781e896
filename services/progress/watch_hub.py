"""The watch hub: the newest state of each watched batch, and its watchers.

The hub learns of changes only from the change feed, by `deliver`.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing

from batches.batch import Batch, Version
from batches.listing import BatchFilter, Created
from services.progress.errors import ShuttingDown, TooManyWatches
from services.progress.flag import Flag
from services.progress.heartbeats import Heartbeats
from services.progress.selection_hub import Load, SelectionHub
from services.progress.selection_watch import EndedSince, News
from services.progress.topics import Topics
from services.progress.wakes import Wakes
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
        self._topics = Topics()
        self._closed = False
        self._heartbeats, self._wakes = Heartbeats(), Wakes()
        self._selections = SelectionHub(self._topics, self._heartbeats, self._wakes)

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
        first_read = self._topics.reads + 1
        flag = Flag(self._wakes)
        topic = self._subscribe(batch_id, flag)
        watch = Watch(
            topic,
            flag,
            first_read=first_read,
            after_revision=after_revision,
            min_interval_seconds=min_interval_seconds,
        )
        try:
            with self._heartbeats.of_watch(flag, heartbeat_seconds) as heartbeat:
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
                    if not watch.is_over:
                        await watch.wait()
        finally:
            watch.close()
            self._topics.release(topic)
            self._watches -= 1

    async def watch_selection(
        self,
        selected: BatchFilter,
        load: Load,
        min_interval_seconds: float,
        heartbeat_seconds: float | None = None,
        ended: EndedSince | None = None,
    ) -> AsyncGenerator[News, None]:
        """Watch all batches that match a filter, for ever.

        Args:
            selected: the filter, of labels and a prefix; its state does not count.
            load: reads the batches under way, if no other watch has the filter.
            min_interval_seconds: the shortest time between two states of a batch that has not ended.
            heartbeat_seconds: the longest time between two yields. Default: none.
            ended: the batches that have ended since another watch. Default: none.

        Yields:
            Every batch under way, the newest first, and those of `ended`; then News without a batch; then
            newer states, new batches and ends, and News without a batch after heartbeat_seconds.

        Raises:
            DatabaseUnavailable: the store could not be read when the watch began, or for some time.
            HistoryRewound: a fail-over of the database lost changes that were sent.
            ShuttingDown: the hub was closed; continue on another server, after the last position.
            TooManyBatches: more matching batches are under way than one watch may have.
            TooManyWatches: the server has too many open watches, or its watches have too many batches.
            WatchTooSlow: the watcher does not read as fast as batches end.

        """
        self._count()
        try:
            watching = self._selections.watch(selected, load, min_interval_seconds, heartbeat_seconds, ended)
            async with aclosing(watching):
                async for news in watching:
                    yield news
        finally:
            self._watches -= 1

    @property
    def has_selections(self) -> bool:
        """Whether new batches are watched for."""
        return self._selections.is_watched

    @property
    def watches(self) -> int:
        """The number of open watches."""
        return self._watches

    def versions(self) -> dict[str, Version]:
        """Return the known version of each watched batch; UNREAD if it was not read yet."""
        return self._topics.versions()

    def begin_read(self) -> int:
        """Return the number of a read of the store that is about to begin."""
        self._topics.reads += 1
        return self._topics.reads

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
        self._topics.deliver(read, batch_ids, changed, gone)

    def complete(self, read: int, created: Created) -> None:
        """Use the new batches of a read that included every watched batch, after `deliver`.

        Args:
            read: the number of the read.
            created: the new batches, and the time at which the read began.

        """
        self._selections.complete(read, created)

    def fail(self, batch_ids: Iterable[str], *, for_long: bool = False) -> None:
        """End watches: the store cannot be read.

        Args:
            batch_ids: the batches that could not be read.
            for_long: whether to end all of their watches. Default: those that have not had a read.

        """
        self._topics.fail(batch_ids, for_long=for_long)
        self._selections.fail(for_long=for_long)

    def close(self) -> None:
        """End all watches, so that their clients resume on another server."""
        self._closed = True
        self._topics.wake()
        self._selections.close()

    def _subscribe(self, batch_id: str, flag: Flag) -> Topic:
        self._count()
        topic = self._topics.of(batch_id)
        topic.flags.add(flag)
        topic.unreadable = False
        self._request_read([batch_id])
        return topic

    def _count(self) -> None:
        if self._watches >= self._watches_max:
            raise TooManyWatches
        self._watches += 1
