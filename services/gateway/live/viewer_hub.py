"""The viewer hub: all viewers of a batch share one watch of the progress server.

Each viewer has a flag and no queue: when the flag is set it takes the newest view and sends it, so that
a slow viewer skips states and costs no memory. A watch that is cut is opened again after the last
revision; meanwhile viewers are told that the server is away.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Protocol

import structlog

from services.gateway.contract.answers import busy
from services.gateway.live.problems import Problem, away, defective, gone
from services.gateway.live.snapshot import Snapshot
from services.gateway.live.topic import Topic

QUIET_TRIES = 1
"""Failed tries before viewers are told: a server closes each connection every ten minutes, and the next try
succeeds at once."""
RETRY_SECONDS_MIN = 0.1
"""The longest wait before the second try."""
RETRY_SECONDS_MAX = 2.0
"""The longest wait before a later try, so that a restarted server is noticed within seconds."""
PAUSE_SECONDS_MAX = 1.0
"""The longest wait before viewers are woken again."""

_log = structlog.get_logger()


class Source(Protocol):
    """Where batches come from; raises Problems."""

    async def read(self, batch_id: str) -> Snapshot:
        """Return a batch as it is now."""

    def watch(self, batch_id: str, after_revision: int) -> AsyncGenerator[Snapshot | None, None]:
        """Yield the states after a revision until the batch ends; None if there is none, but it answers."""


class ViewerHub:
    """Shows batches to their viewers, within bounds.

    Args:
        source: where batches come from.
        batch_viewers_max: viewers of one batch at a time.
        watches_max: batches watched at a time.

    """

    def __init__(self, source: Source, *, batch_viewers_max: int, watches_max: int) -> None:
        self._source = source
        self._batch_viewers_max = batch_viewers_max
        self._watches_max = watches_max
        self._topics: dict[str, Topic] = {}
        self.is_closed = False

    @property
    def watches(self) -> int:
        """The number of batches that are watched."""
        return len(self._topics)

    @contextmanager
    def viewing(self, batch_id: str, flag: asyncio.Event) -> Iterator[Topic]:
        """Yield a batch whose view is kept up to date while the context is open.

        Args:
            batch_id: the batch. The viewer may see it.
            flag: is set when there is a new view.

        Raises:
            Answer: the limit of viewers or of watched batches is reached.

        """
        topic = self._topics.get(batch_id)
        if topic is None:
            topic = self._open(batch_id)
        elif len(topic.flags) >= self._batch_viewers_max:
            raise busy("this gateway has too many viewers of this batch; try again")
        topic.flags.add(flag)
        try:
            yield topic
        finally:
            topic.flags.discard(flag)
            if not topic.flags:
                self._drop(batch_id, topic)

    async def close(self) -> None:
        """End all views and watches."""
        self.is_closed = True
        topics = list(self._topics.values())
        following = [topic.following for topic in topics if topic.following]
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        for topic in topics:
            for _ in topic.wake():
                await asyncio.sleep(0)

    def _open(self, batch_id: str) -> Topic:
        if len(self._topics) >= self._watches_max:
            raise busy("this gateway watches too many batches; try again")
        topic = self._topics[batch_id] = Topic()
        topic.following = asyncio.create_task(self._show(batch_id, topic))
        return topic

    def _drop(self, batch_id: str, topic: Topic) -> None:
        if self._topics.get(batch_id) is topic:
            del self._topics[batch_id]
        if topic.following is not None:
            topic.following.cancel()

    async def _show(self, batch_id: str, topic: Topic) -> None:
        """Show a batch to its viewers until no further view can follow."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(batch_id, topic))
            # Beside the watch: many viewers take longer than the next state, and must not get every one.
            tasks.create_task(_wake_viewers(topic))

    async def _follow(self, batch_id: str, topic: Topic) -> None:
        """Keep a topic up to date until no further view can follow."""
        while not topic.view.is_last:
            try:
                await self._follow_watch(batch_id, topic)
            except Problem as problem:
                _show_problem(topic, problem)
                if not problem.is_final:
                    await asyncio.sleep(_delay_seconds(problem, topic.tries))
                    topic.tries += 1
            except Exception as defect:  # noqa: BLE001  # nobody awaits this task, but its viewers wait for it
                if topic.fail(defective()):  # the next try may fail in the same way
                    _log.error("unexpected error", exc_info=defect)
                await asyncio.sleep(RETRY_SECONDS_MAX)

    async def _follow_watch(self, batch_id: str, topic: Topic) -> None:
        """Show what one watch brings."""
        async with aclosing(self._source.watch(batch_id, topic.revision)) as moments:
            async for streamed in moments:
                if streamed is None and topic.view.state is None:
                    continue  # the first state follows
                # A stall and a fading rate change no revision, so that a watch does not bring them.
                state = streamed or await self._source.read(batch_id)
                if topic.is_of_another_batch(state):
                    raise gone(batch_id)
                topic.update(state, is_streamed=streamed is not None)
                if topic.view.is_last:
                    return
                topic.tries = 0
        raise away()  # a watch that ends before its batch has been cut


def _show_problem(topic: Topic, problem: Problem) -> None:
    if problem.is_final or topic.tries >= QUIET_TRIES:
        topic.fail(problem)


async def _wake_viewers(topic: Topic) -> None:
    """Wake the viewers for each view; in between leave as much time to everything else in this process."""
    while True:
        await topic.changed.wait()
        began = time.monotonic()
        for _ in topic.wake():
            await asyncio.sleep(0)
        if not topic.view.is_last:
            await asyncio.sleep(min(PAUSE_SECONDS_MAX, time.monotonic() - began))
        elif not topic.changed.is_set():
            return


def _delay_seconds(problem: Problem, tries: int) -> float:
    """Return a random delay below a doubling bound, plus the delay that the server asked for."""
    bound = min(RETRY_SECONDS_MAX, RETRY_SECONDS_MIN * 2 ** min(tries, 16))
    return problem.retry_seconds + random.uniform(0, bound)  # noqa: S311  # jitter is no secret
