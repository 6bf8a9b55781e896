"""One call for all who ask the same at nearly the same time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field

from services.dashboard.errors import TooMany

FRESH_SECONDS = 1.0
"""How long an answer is given to whoever asks the same: pages ask every two seconds."""
REST = 4
"""And so many times as long as the answer took: however many ask, a question keeps the database busy for a
fifth of the time at the most."""
ANSWERS_MAX = 200
"""Answers kept or under way."""
KEPT_BYTES_MAX = 32 * 1024 * 1024
"""Of the answers kept: usual ones take 20 to 100 KB, a page of the longest messages a megabyte and more."""


@dataclass(slots=True, eq=False)
class _Answer:
    task: asyncio.Task[bytes]
    asked_at: float = field(default_factory=time.monotonic)
    fresh_until: float = float("inf")
    """Under way it is the freshest there can be."""
    size_bytes: int = 0
    """Once it is there."""

    def settle(self, task: asyncio.Task[bytes]) -> None:
        # All who asked may have left; then nobody else looks at the exception.
        has_failed = task.cancelled() or task.exception() is not None
        now = time.monotonic()
        rest_seconds = 0.0 if has_failed else REST * (now - self.asked_at)
        self.fresh_until = now + max(FRESH_SECONDS, rest_seconds)
        self.size_bytes = 0 if has_failed else len(task.result())


class SharedAnswers:
    """Answers by question, the oldest first."""

    def __init__(self) -> None:
        """Begin with none."""
        self._answers: dict[Hashable, _Answer] = {}

    async def get(self, question: Hashable, ask: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return the answer to a question, of late or of now; raises what asking raises, or TooMany."""
        answer = self._answers.get(question)
        if answer is None or answer.fresh_until < time.monotonic():
            self._answers.pop(question, None)
            self._make_room()
            answer = self._answers[question] = _Answer(asyncio.ensure_future(_awaited(ask)))
            answer.task.add_done_callback(answer.settle)
        # Shielded: a viewer who leaves takes nobody else's answer away.
        return await asyncio.shield(answer.task)

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = [answer.task for answer in self._answers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _make_room(self) -> None:
        """Let the oldest answers go until one more may be asked for."""
        kept_bytes = sum(answer.size_bytes for answer in self._answers.values())
        while len(self._answers) >= ANSWERS_MAX or kept_bytes > KEPT_BYTES_MAX:
            oldest = next((one for one, answer in self._answers.items() if answer.task.done()), None)
            if oldest is None:
                raise TooMany
            kept_bytes -= self._answers.pop(oldest).size_bytes


async def _awaited(ask: Callable[[], Awaitable[bytes]]) -> bytes:
    return await ask()
