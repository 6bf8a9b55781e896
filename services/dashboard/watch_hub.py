"""The watch hub: one stream of ProgressService for each viewed batch, however many view it.

Each viewer has one flag and no queue: it is told that something is newer, reads the newest,
and sends it. So a slow viewer skips states and costs no memory. A stream that breaks is
opened again after the last revision; meanwhile viewers are told that the server is away.
A stall is no change and sends nothing, so a batch that is silent is asked for.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from typing import Protocol

import structlog

from batchprogress.cli.idle import with_silences
from services.dashboard.errors import BatchUnknown, DashboardError, Defective, ServerAway, TooMany
from services.dashboard.states import BatchState, Point
from services.dashboard.topic import Topic, View

SILENT_SECONDS = 5.0
"""After so long without a change a batch is asked for: its rate fades, and it may have stalled."""
LINGER_SECONDS = 5.0
"""How long a stream outlives its last viewer, so that loading a page again keeps the plot's history."""
TRIES_UNTOLD = 1
"""So many tries may fail before viewers hear of it: a server that asks a connection to end, as each does
every ten minutes, is back at once."""
RETRY_SECONDS_MIN = 0.1
"""Before the second try, at the most."""
RETRY_SECONDS_MAX = 2.0
"""Before any later try, at the most: a server that is back is seen within seconds."""

_log = structlog.get_logger()


class BatchSource(Protocol):
    """Where batches come from; raises DashboardErrors."""

    async def get_batch(self, batch_id: str) -> BatchState:
        """Return a batch as it is now."""

    def watch(self, batch_id: str, after_revision: int) -> AsyncIterator[BatchState]:
        """Yield the states after a revision, until the batch has ended."""


class WatchHub:
    """Shows batches to their viewers."""

    def __init__(
        self,
        source: BatchSource,
        *,
        viewers_max: int,
        watches_max: int,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        """Take where batches come from, and how many may be viewed at a time."""
        self._source = source
        self._viewers_max = viewers_max
        self._watches_max = watches_max
        self._linger_seconds = linger_seconds
        self._viewers = 0
        self._topics: dict[str, Topic] = {}
        self._closed = False

    async def view(self, batch_id: str) -> AsyncGenerator[tuple[View, list[Point]], None]:
        """Yield what there is to see, with its history, then each change of it; ends with the batch.

        The history comes once, with the first view that has a state.

        Raises:
            TooMany: as many are viewing, or viewed, as may be.

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
        """End all views and all streams; pages connect again by themselves, to whoever serves next."""
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
        if topic.end is not None:
            topic.end.cancel()
            topic.end = None
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
            self._drop_one_without_viewers()
        topic = self._topics[batch_id] = Topic()
        topic.following = asyncio.create_task(self._follow(batch_id, topic))
        return topic

    def _drop_one_without_viewers(self) -> None:
        batch_id = next((one for one, topic in self._topics.items() if not topic.flags), None)
        if batch_id is None:
            raise TooMany
        self._drop(batch_id)

    def _leave(self, batch_id: str, topic: Topic) -> None:
        """Let a batch without viewers go; what can bring nothing more goes at once."""
        if self._topics.get(batch_id) is not topic:
            return
        if topic.view.is_last or self._closed:
            self._drop(batch_id)
        else:
            loop = asyncio.get_running_loop()
            topic.end = loop.call_later(self._linger_seconds, self._drop, batch_id)

    def _drop(self, batch_id: str) -> None:
        topic = self._topics.pop(batch_id)
        if topic.end is not None:
            topic.end.cancel()
        if topic.following is not None:
            topic.following.cancel()

    async def _follow(self, batch_id: str, topic: Topic) -> None:
        """Keep a topic up to date until nothing can follow."""
        while not topic.view.is_last:
            try:
                await self._follow_stream(batch_id, topic)
            except BatchUnknown as problem:
                topic.fail(problem)
            except DashboardError as problem:
                if topic.tries >= TRIES_UNTOLD:
                    topic.fail(problem)
                await asyncio.sleep(_delay_seconds(problem, topic.tries))
                topic.tries += 1
            except Exception as defect:  # noqa: BLE001  # nobody waits for this task, and viewers do for its news
                _tell_defect(topic, defect)
                await asyncio.sleep(RETRY_SECONDS_MAX)

    async def _follow_stream(self, batch_id: str, topic: Topic) -> None:
        """Take what one stream brings."""
        async with aclosing(self._states(batch_id, topic)) as states:
            async for state in states:
                topic.tries = 0
                topic.take(state)
        if not topic.view.is_last:
            raise ServerAway  # a stream that ends before its batch was cut

    async def _states(self, batch_id: str, topic: Topic) -> AsyncGenerator[BatchState, None]:
        """Yield what one stream brings, and what is asked for before it and in its silences."""
        if topic.view.problem is not None:
            # A stream after the newest revision says nothing: this tells that the server is back.
            yield await self._source.get_batch(batch_id)
        changes = self._source.watch(batch_id, topic.revision)
        async with aclosing(with_silences(changes, SILENT_SECONDS)) as moments:
            async for state in moments:
                yield state if state is not None else await self._source.get_batch(batch_id)


def _tell_defect(topic: Topic, defect: Exception) -> None:
    """Tell viewers each time, the log once: the next try may well end alike."""
    if not topic.is_defective:
        _log.error("unexpected error", exc_info=defect)
    topic.is_defective = True
    topic.fail(Defective())


def _delay_seconds(problem: DashboardError, tries: int) -> float:
    """Return a random part of a bound that doubles; the server's own wish comes on top."""
    wished = problem.retry_seconds if isinstance(problem, ServerAway) else 0.0
    bound = min(RETRY_SECONDS_MAX, RETRY_SECONDS_MIN * 2 ** min(tries, 16))
    return wished + random.uniform(0, bound)  # noqa: S311  # jitter needs no secrecy
