"""The viewer hub: all viewers of the same topic share one watch of the progress server.

Each viewer has a flag and no queue: when the flag is set it takes what is newest and sends it, so that
a slow viewer skips states and costs no memory. A watch that is cut is opened again after the last
state; meanwhile viewers are told that the server is away.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from services.gateway.contract.answers import busy
from services.gateway.live.problems import Problem, defective
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

Key = TypeVar("Key", bound=Hashable)
AnyTopic = TypeVar("AnyTopic", bound=Topic)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class HubBounds:
    """How much a hub shows."""

    what: str
    """What the viewers of a topic view, for the message of a refusal."""
    topic_viewers_max: int
    """Viewers of one topic at a time."""
    topics_max: int
    """Topics watched at a time."""


class ViewerHub(Generic[Key, AnyTopic]):
    """Shows topics to their viewers, within bounds.

    Args:
        new_topic: makes a topic that is not watched yet.
        follow: shows what one watch brings until it ends; raises a Problem if nothing else has ended it.
        bounds: of viewers and topics.

    """

    def __init__(
        self,
        new_topic: Callable[[], AnyTopic],
        follow: Callable[[Key, AnyTopic], Coroutine[Any, Any, None]],
        bounds: HubBounds,
    ) -> None:
        self._new_topic = new_topic
        self._follow = follow
        self._bounds = bounds
        self._topics: dict[Key, AnyTopic] = {}
        self.is_closed = False

    @property
    def watches(self) -> int:
        """The number of topics that are watched."""
        return len(self._topics)

    @contextmanager
    def viewing(self, key: Key, flag: asyncio.Event) -> Iterator[AnyTopic]:
        """Yield a topic that is kept up to date while the context is open.

        Args:
            key: what is viewed. The viewer may see it.
            flag: is set when there is something new.

        Raises:
            Answer: the limit of viewers or of watches is reached.

        """
        topic = self._topics.get(key)
        if topic is None:
            topic = self._open(key)
        elif len(topic.flags) >= self._bounds.topic_viewers_max:
            raise busy(f"this gateway has too many viewers of this {self._bounds.what}; try again")
        topic.flags.add(flag)
        try:
            yield topic
        finally:
            topic.flags.discard(flag)
            if not topic.flags:
                self._drop(key, topic)

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

    def _open(self, key: Key) -> AnyTopic:
        if len(self._topics) >= self._bounds.topics_max:
            raise busy(f"this gateway watches for too many viewers of another {self._bounds.what}; try again")
        topic = self._topics[key] = self._new_topic()
        topic.following = asyncio.create_task(self._show(key, topic))
        return topic

    def _drop(self, key: Key, topic: AnyTopic) -> None:
        if self._topics.get(key) is topic:
            del self._topics[key]
        if topic.following is not None:
            topic.following.cancel()

    async def _show(self, key: Key, topic: AnyTopic) -> None:
        """Show a topic to its viewers until nothing further can follow."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_following(key, topic))
            # Beside the watch: many viewers take longer than the next state, and must not get every one.
            tasks.create_task(_wake_viewers(topic))

    async def _keep_following(self, key: Key, topic: AnyTopic) -> None:
        """Keep a topic up to date until nothing further can follow."""
        while not topic.is_last:
            try:
                await self._follow(key, topic)
            except Problem as problem:
                _show_problem(topic, problem)
                if not problem.is_final:
                    await asyncio.sleep(_delay_seconds(problem, topic.tries))
                    topic.tries += 1
            except Exception as defect:  # noqa: BLE001  # nobody awaits this task, but its viewers wait for it
                if topic.fail(defective()):  # the next try may fail in the same way
                    _log.error("unexpected error", exc_info=defect)
                await asyncio.sleep(RETRY_SECONDS_MAX)


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
        if not topic.is_last:
            await asyncio.sleep(min(PAUSE_SECONDS_MAX, time.monotonic() - began))
        elif not topic.changed.is_set():
            return


def _delay_seconds(problem: Problem, tries: int) -> float:
    """Return a random delay below a doubling bound, plus the delay that the server asked for."""
    bound = min(RETRY_SECONDS_MAX, RETRY_SECONDS_MIN * 2 ** min(tries, 16))
    return problem.retry_seconds + random.uniform(0, bound)  # noqa: S311  # jitter is no secret
