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
from dataclasses import dataclass, field
from typing import Protocol

from batchprogress.silences import with_silences
from services.dashboard.errors import BatchUnknown, DashboardError, ServerAway, TooMany
from services.dashboard.states import BatchState, History, Point

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


class BatchSource(Protocol):
    """Where batches come from; raises DashboardErrors."""

    async def get_batch(self, batch_id: str) -> BatchState:
        """Return a batch as it is now."""

    def watch(self, batch_id: str, after_revision: int) -> AsyncIterator[BatchState]:
        """Yield the states after a revision, until the batch has ended."""


@dataclass(frozen=True, slots=True)
class View:
    """What a viewer is to see now."""

    state: BatchState | None
    """The newest that is known."""
    problem: DashboardError | None
    """Why it may be out of date; None if it is not."""

    @property
    def is_last(self) -> bool:
        """Whether nothing can follow."""
        ended = self.state is not None and self.state.has_ended and self.problem is None
        return ended or isinstance(self.problem, BatchUnknown)


@dataclass(slots=True, eq=False)
class _Topic:
    """A watched batch and the flags of its viewers."""

    view: View = field(default=View(None, None))
    history: History = field(default_factory=History)
    flags: set[asyncio.Event] = field(default_factory=set)
    following: asyncio.Task[None] | None = None
    end: asyncio.TimerHandle | None = None
    """Of a topic without viewers."""

    @property
    def revision(self) -> int:
        return self.view.state.revision if self.view.state else 0

    def take(self, state: BatchState) -> None:
        """Take what the server says now; an answer may be older than what the stream brought meanwhile."""
        if state.revision < self.revision:
            return
        if state.revision > self.revision:
            self.history.add(state)
        self._show(View(state, None))

    def fail(self, problem: DashboardError) -> None:
        """Say why nothing newer comes; each try that fails alike says nothing new."""
        if type(problem) is not type(self.view.problem):
            self._show(View(self.view.state, problem))

    def _show(self, view: View) -> None:
        self.view = view
        for flag in self.flags:
            flag.set()


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
        self._topics: dict[str, _Topic] = {}
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
    def _viewing(self, batch_id: str) -> Iterator[tuple[_Topic, asyncio.Event]]:
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

    def _open(self, batch_id: str) -> _Topic:
        if len(self._topics) >= self._watches_max:
            self._drop_one_without_viewers()
        topic = self._topics[batch_id] = _Topic()
        topic.following = asyncio.create_task(self._follow(batch_id, topic))
        return topic

    def _drop_one_without_viewers(self) -> None:
        batch_id = next((one for one, topic in self._topics.items() if not topic.flags), None)
        if batch_id is None:
            raise TooMany
        self._drop(batch_id)

    def _leave(self, batch_id: str, topic: _Topic) -> None:
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

    async def _follow(self, batch_id: str, topic: _Topic) -> None:
        """Keep a topic up to date until nothing can follow."""
        tries = 0
        while not topic.view.is_last:
            try:
                async with aclosing(self._states(batch_id, topic)) as states:
                    async for state in states:
                        tries = 0
                        topic.take(state)
                if not topic.view.is_last:
                    raise ServerAway  # a stream that ends before its batch was cut
            except BatchUnknown as problem:
                topic.fail(problem)
            except DashboardError as problem:
                if tries >= TRIES_UNTOLD:
                    topic.fail(problem)
                await asyncio.sleep(_delay_seconds(problem, tries))
                tries += 1

    async def _states(self, batch_id: str, topic: _Topic) -> AsyncGenerator[BatchState, None]:
        """Yield what one stream brings, and what is asked for before it and in its silences."""
        if topic.view.problem is not None:
            # A stream after the newest revision says nothing: this tells that the server is back.
            yield await self._source.get_batch(batch_id)
        changes = self._source.watch(batch_id, topic.revision)
        async with aclosing(with_silences(changes, SILENT_SECONDS)) as moments:
            async for state in moments:
                yield state if state is not None else await self._source.get_batch(batch_id)


def _delay_seconds(problem: DashboardError, tries: int) -> float:
    """Return a random part of a bound that doubles; the server's own wish comes on top."""
    wished = problem.retry_seconds if isinstance(problem, ServerAway) else 0.0
    bound = min(RETRY_SECONDS_MAX, RETRY_SECONDS_MIN * 2 ** min(tries, 16))
    return wished + random.uniform(0, bound)  # noqa: S311  # jitter needs no secrecy
