"""The viewer hub: all viewers of a batch share one upstream watch.

Each viewer has a flag and no queue: when the flag is set it reads the newest view and sends it, so a
slow viewer skips states and costs no memory. A broken stream is reopened after the last revision;
meanwhile viewers see that the server is down. A stall changes no revision and sends nothing, so a
silent batch is polled.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Protocol

import structlog

from batchprogress.silences import with_silences
from services.dashboard.errors import BatchUnknown, DashboardError, Defective, ServerAway, TooMany
from services.dashboard.states import Point, Snapshot
from services.dashboard.topic import Topic, View

SILENT_SECONDS = 5.0
"""A batch is polled after this long without a change: its rate fades, and it may have stalled."""
LINGER_SECONDS = 5.0
"""How long a stream outlives its last viewer, so that reloading a page keeps the history of the plot."""
QUIET_TRIES = 1
"""Failed tries before viewers see a problem: a server closes each connection every ten minutes, and the
next try succeeds at once."""
RETRY_SECONDS_MIN = 0.1
"""The longest wait before the second try."""
RETRY_SECONDS_MAX = 2.0
"""The longest wait before a later try, so that a restarted server is noticed within seconds."""

_log = structlog.get_logger()


class BatchSource(Protocol):
    """The source of batches; raises DashboardErrors."""

    async def get_batch(self, batch_id: str) -> Snapshot:
        """Return a batch as it is now."""

    def watch(self, batch_id: str, after_revision: int) -> AsyncGenerator[Snapshot, None]:
        """Yield the states after a revision, until the batch ends."""


class ViewerHub:
    """Shows batches to their viewers, within bounds.

    Args:
        source: the source of batches.
        viewers_max: viewers at a time.
        watches_max: batches watched at a time.
        linger_seconds: how long a stream outlives its last viewer.

    """

    def __init__(
        self,
        source: BatchSource,
        *,
        viewers_max: int,
        watches_max: int,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self._source = source
        self._viewers_max = viewers_max
        self._watches_max = watches_max
        self._linger_seconds = linger_seconds
        self._viewers = 0
        self._topics: dict[str, Topic] = {}
        self._closed = False

    async def view(self, batch_id: str) -> AsyncGenerator[tuple[View, list[Point]], None]:
        """Yield the current view of a batch, then each newer one, until the batch ends.

        The history comes once, with the first view that has a state.

        Raises:
            TooMany: the limit of viewers or of watched batches is reached.

        """
        told_history = False
        with self._viewing(batch_id) as (topic, flag):
            while not self._closed:
                flag.clear()
                view = topic.view
                if view.state is not None or view.problem is not None:
                    points = topic.history.points() if view.state and not told_history else []
                    told_history = told_history or view.state is not None
                    yield view, points
                if view.is_last:
                    return
                if topic.view is view:
                    await flag.wait()

    async def close(self) -> None:
        """End all views and streams; pages reconnect by themselves."""
        self._closed = True
        topics = list(self._topics.values())
        for topic in topics:
            for flag in topic.flags:
                flag.set()
        following = [topic.following for topic in topics if topic.following]
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)

    @contextmanager
    def _viewing(self, batch_id: str) -> Iterator[tuple[Topic, asyncio.Event]]:
        if self._viewers >= self._viewers_max:
            raise TooMany
        topic = self._topics.get(batch_id) or self._open(batch_id)
        if topic.removal is not None:
            topic.removal.cancel()
            topic.removal = None
        flag = asyncio.Event()
        topic.flags.add(flag)
        self._viewers += 1
        try:
            yield topic, flag
        finally:
            self._viewers -= 1
            topic.flags.discard(flag)
            if not topic.flags:
                self._leave(batch_id, topic)

    def _open(self, batch_id: str) -> Topic:
        if len(self._topics) >= self._watches_max:
            self._evict_unviewed()
        topic = self._topics[batch_id] = Topic()
        topic.following = asyncio.create_task(self._follow(batch_id, topic))
        return topic

    def _evict_unviewed(self) -> None:
        batch_id = next((one for one, topic in self._topics.items() if not topic.flags), None)
        if batch_id is None:
            raise TooMany
        self._drop(batch_id)

    def _leave(self, batch_id: str, topic: Topic) -> None:
        """Drop a batch without viewers: at once if no further view can follow, else after a while."""
        if self._topics.get(batch_id) is not topic:
            return
        if topic.view.is_last or self._closed:
            self._drop(batch_id)
        else:
            loop = asyncio.get_running_loop()
            topic.removal = loop.call_later(self._linger_seconds, self._drop, batch_id)

    def _drop(self, batch_id: str) -> None:
        topic = self._topics.pop(batch_id)
        if topic.removal is not None:
            topic.removal.cancel()
        if topic.following is not None:
            topic.following.cancel()

    async def _follow(self, batch_id: str, topic: Topic) -> None:
        """Keep a topic up to date until no further view can follow."""
        while not topic.view.is_last:
            try:
                await self._follow_stream(batch_id, topic)
            except BatchUnknown as problem:
                topic.fail(problem)
            except DashboardError as problem:
                if topic.tries >= QUIET_TRIES:
                    topic.fail(problem)
                await asyncio.sleep(_delay_seconds(problem, topic.tries))
                topic.tries += 1
            except Exception as defect:  # noqa: BLE001  # nobody awaits this task, but its viewers wait for it
                _report_defect(topic, defect)
                await asyncio.sleep(RETRY_SECONDS_MAX)

    async def _follow_stream(self, batch_id: str, topic: Topic) -> None:
        """Show what one stream brings."""
        async with aclosing(self._states(batch_id, topic)) as states:
            async for state, is_streamed in states:
                topic.tries = 0
                topic.update(state, is_streamed=is_streamed)
        if not topic.view.is_last:
            raise ServerAway  # a stream that ends before its batch has been cut

    async def _states(self, batch_id: str, topic: Topic) -> AsyncGenerator[tuple[Snapshot, bool], None]:
        """Yield the states of one stream, and polled states before it and while it is silent.

        The second value is whether a state is streamed.
        """
        if topic.view.state is None or topic.view.problem is not None:
            # Reads are bounded, so a stream is opened only for a batch that a read has found. A stream after
            # the newest revision stays silent, so only a read shows that the server is back.
            yield await self._source.get_batch(batch_id), False
            if topic.view.is_last:
                return
        changes = self._source.watch(batch_id, topic.revision)
        async with aclosing(with_silences(changes, SILENT_SECONDS)) as moments:
            async for state in moments:
                yield (state, True) if state else (await self._source.get_batch(batch_id), False)


def _report_defect(topic: Topic, defect: Exception) -> None:
    """Show the defect to viewers each time, but log it once: the next try may fail in the same way."""
    if not topic.is_defective:
        _log.error("unexpected error", exc_info=defect)
    topic.is_defective = True
    topic.fail(Defective())


def _delay_seconds(problem: DashboardError, tries: int) -> float:
    """Return a random delay below a doubling bound, plus the delay that the server asked for."""
    requested = problem.retry_seconds if isinstance(problem, ServerAway) else 0.0
    bound = min(RETRY_SECONDS_MAX, RETRY_SECONDS_MIN * 2 ** min(tries, 16))
    return requested + random.uniform(0, bound)  # noqa: S311  # jitter is no secret
