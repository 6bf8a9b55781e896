"""Shares one call between equal requests that arrive at nearly the same time, and bounds different ones."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any

from services.dashboard.lane import Lane

FRESH_SECONDS = 1.0
"""How long an answer is reused; pages ask every two seconds."""
REUSE_FACTOR = 4
"""An answer is reused for at least this many times as long as it took, so that equal requests of all
pages occupy the database for at most a fifth of the time."""
ANSWERS_MAX = 200
"""Answers kept or in progress; more than the lanes below admit."""
READS_MAX = 4
"""Reads of the server at a time: each takes milliseconds, so four answer hundreds a second."""
READS_WAITING_MAX = 100
"""Reads that wait for their turn: all pages ask at once when a server comes back."""
SEARCHES_MAX = 1
"""Searches at a time. A search is up to twenty calls of the server, one after the other, and workers report
beside it."""
SEARCHES_WAITING_MAX = 15
"""Searches that wait for their turn: more would not get it in time."""
KEPT_BYTES_MAX = 32 * 1024 * 1024
"""The size of all kept answers: a usual one has 20 to 100 KB, a page of the longest messages over 1 MB."""


@dataclass(slots=True, eq=False)
class _Answer:
    task: asyncio.Task[bytes]
    asked_at: float = field(default_factory=time.monotonic)
    fresh_until: float = float("inf")
    """Infinite while the call is in progress."""
    size_bytes: int = 0
    """0 until the answer is there."""

    def store(self, task: asyncio.Task[bytes]) -> None:
        # If every caller has left, nobody else retrieves the exception.
        has_failed = task.cancelled() or task.exception() is not None
        now = time.monotonic()
        reuse_seconds = 0.0 if has_failed else REUSE_FACTOR * (now - self.asked_at)
        self.fresh_until = now + max(FRESH_SECONDS, reuse_seconds)
        self.size_bytes = 0 if has_failed else len(task.result())


class SharedAnswers:
    """Answers by request, the oldest first."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, _Answer] = {}
        self._reads = Lane(READS_MAX, READS_WAITING_MAX)
        self._searches = Lane(SEARCHES_MAX, SEARCHES_WAITING_MAX)

    async def get(
        self, question: Hashable, ask: Callable[[], Coroutine[Any, Any, bytes]], *, is_search: bool = False
    ) -> bytes:
        """Return the answer to a request, a recent one if there is one.

        Args:
            question: the request.
            ask: gets the answer from the server.
            is_search: whether that takes many calls.

        Raises:
            Busy: too many other requests are in progress.
            DashboardError: as raised by `ask`.

        """
        answer = self._answers.get(question)
        if answer is None or answer.fresh_until < time.monotonic():
            lane = self._searches if is_search else self._reads
            call = lane.admit(ask)  # before a kept answer gives way
            self._answers.pop(question, None)
            self._drop_oldest()
            answer = self._answers[question] = _Answer(asyncio.create_task(call))
            answer.task.add_done_callback(answer.store)
        # Shielded: a viewer that leaves must not cancel the answer of others.
        return await asyncio.shield(answer.task)

    async def close(self) -> None:
        """Cancel the calls in progress."""
        tasks = [answer.task for answer in self._answers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _drop_oldest(self) -> None:
        """Drop the oldest answers, unless they are in progress, until there is room for one more."""
        kept_bytes = sum(answer.size_bytes for answer in self._answers.values())
        while len(self._answers) >= ANSWERS_MAX or kept_bytes > KEPT_BYTES_MAX:
            oldest = next((one for one, answer in self._answers.items() if answer.task.done()), None)
            if oldest is None:
                return  # so many calls are in progress, and the lanes bound those
            kept_bytes -= self._answers.pop(oldest).size_bytes
