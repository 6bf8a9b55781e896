"""Shares one call between equal requests that arrive at nearly the same time."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any

from services.dashboard.errors import TooMany

FRESH_SECONDS = 1.0
"""How long an answer is reused; pages ask every two seconds."""
REUSE_FACTOR = 4
"""An answer is reused for at least this many times as long as it took, so that equal requests of all
pages occupy the database for at most a fifth of the time."""
ANSWERS_MAX = 200
"""Answers kept or in progress."""
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

    async def get(self, question: Hashable, ask: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        """Return the answer to a request, a recent one if there is one.

        Raises:
            TooMany: too many requests are in progress.
            DashboardError: as raised by `ask`.

        """
        answer = self._answers.get(question)
        if answer is None or answer.fresh_until < time.monotonic():
            self._answers.pop(question, None)
            self._make_room()
            answer = self._answers[question] = _Answer(asyncio.create_task(ask()))
            answer.task.add_done_callback(answer.store)
        # Shielded: a viewer that leaves must not cancel the answer of others.
        return await asyncio.shield(answer.task)

    async def close(self) -> None:
        """Cancel the calls in progress."""
        tasks = [answer.task for answer in self._answers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _make_room(self) -> None:
        """Drop the oldest answers until there is room for one more."""
        kept_bytes = sum(answer.size_bytes for answer in self._answers.values())
        while len(self._answers) >= ANSWERS_MAX or kept_bytes > KEPT_BYTES_MAX:
            oldest = next((one for one, answer in self._answers.items() if answer.task.done()), None)
            if oldest is None:
                raise TooMany
            kept_bytes -= self._answers.pop(oldest).size_bytes
