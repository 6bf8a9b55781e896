"""Reads of callers without a token: a few at a time, and shared between callers that allow it.

A caller that sends `Cache-Control: max-age=…` accepts an answer that another one has got before, as the page
does: all pages that show the same thing cost one call. Others always get an answer of their own.
"""

import asyncio
import re
import time
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError, Message

from services.gateway.contract.answers import busy

FRESH_SECONDS = 1.0
"""How long an answer is shared; pages ask every two seconds."""
REUSE_FACTOR = 4
"""An answer is shared for at least this many times as long as it took, so that equal reads of all pages
occupy the database for at most a fifth of the time."""
ANSWERS_MAX = 200
"""Answers kept or in progress."""
KEPT_BYTES_MAX = 32 * 1024 * 1024
"""The size of all kept answers: a usual one has 20 to 100 KB, a page of the longest messages over 1 MB."""
READS_MAX = 4
"""Reads of the server at a time: each takes milliseconds, so four answer hundreds a second."""
READS_WAITING_MAX = 1_000
"""Reads that wait for their turn: all pages ask at once when a server comes back."""
ITEMS_MAX = 100
"""The page size of a read above which it is a large one: pages that search read many batches."""
LARGE_READS_MAX = 1
"""Large reads at a time."""
LARGE_READS_WAITING_MAX = 100
"""Large reads that wait for their turn: more would not get it in time."""
PAUSE_FACTOR = 1
"""After a large read the next one waits for this many times as long as it took: workers report beside it."""
WAIT_SECONDS_MAX = 5.0
"""How long a read waits for its turn: as long as a page waits for an answer."""
_MAX_AGE = re.compile(r"\bmax-age=0*([1-9]\d{0,5})\b")

Read = Callable[[], Coroutine[Any, Any, bytes]]


@dataclass(slots=True, eq=False)
class _Answer:
    task: asyncio.Task[bytes]
    asked_at: float = field(default_factory=time.monotonic)
    answered_at: float = float("inf")
    """Infinite while the read is in progress."""
    size_bytes: int = 0
    """0 until the answer is there."""

    def store(self, task: asyncio.Task[bytes]) -> None:
        # If every caller has left, nobody else retrieves the exception.
        has_failed = task.cancelled() or task.exception() is not None
        self.answered_at = time.monotonic()
        self.size_bytes = 0 if has_failed else len(task.result())

    def is_fresh(self, age_seconds_max: int) -> bool:
        took = self.answered_at - self.asked_at
        reuse_seconds = max(FRESH_SECONDS, REUSE_FACTOR * took if self.size_bytes else 0.0)
        return time.monotonic() <= self.answered_at + min(age_seconds_max, reuse_seconds)


class _Lane:
    """Lets a few reads run at a time, and some more wait for their turn."""

    def __init__(self, running_max: int, waiting_max: int, pause_factor: float) -> None:
        self._free = asyncio.Semaphore(running_max)
        self._admitted_max = running_max + waiting_max
        self._admitted = 0
        self._pause_factor = pause_factor

    def admit(self, read: Read) -> Coroutine[Any, Any, bytes]:
        """Return a coroutine that waits for a turn and makes the read. It must be awaited."""
        if self._admitted >= self._admitted_max:
            raise _busy()
        self._admitted += 1
        return self._in_turn(read)

    async def _in_turn(self, read: Read) -> bytes:
        try:
            await self._wait()
            began = time.monotonic()
            try:
                return await read()
            finally:
                self._end_turn(self._pause_factor * (time.monotonic() - began))
        finally:
            self._admitted -= 1

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                await self._free.acquire()
        except TimeoutError:
            raise _busy() from None

    def _end_turn(self, pause_seconds: float) -> None:
        if pause_seconds:
            asyncio.get_running_loop().call_later(pause_seconds, self._free.release)
        else:
            self._free.release()


class AnonymousReads:
    """Makes reads in turn, and keeps their answers for a short time, the oldest first."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, _Answer] = {}
        self._reads = _Lane(READS_MAX, READS_WAITING_MAX, 0)
        self._large_reads = _Lane(LARGE_READS_MAX, LARGE_READS_WAITING_MAX, PAUSE_FACTOR)

    async def get(
        self, question: Hashable, read: Read, age_seconds_max: int, *, is_large: bool = False
    ) -> bytes:
        """Return the answer to a read.

        Args:
            question: what is equal for equal reads.
            read: gets the answer from the server.
            age_seconds_max: how old an answer to another caller may be; 0: it may not be shared.
            is_large: whether it asks for many items.

        Raises:
            Answer: too many other reads are in progress, or what `read` raises.

        """
        lane = self._large_reads if is_large else self._reads
        if not age_seconds_max:
            return await lane.admit(read)
        answer = self._answers.get(question)
        if answer is None or not answer.is_fresh(age_seconds_max):
            call = lane.admit(read)  # before a kept answer gives way
            self._answers.pop(question, None)
            self._drop_oldest()
            answer = self._answers[question] = _Answer(asyncio.create_task(call))
            answer.task.add_done_callback(answer.store)
        # Shielded: a caller that leaves must not cancel the answer of others.
        return await asyncio.shield(answer.task)

    async def close(self) -> None:
        """Cancel the shared reads in progress."""
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
                return  # so many reads are in progress, and their number is bounded, too
            kept_bytes -= self._answers.pop(oldest).size_bytes


def age_seconds_max_of(cache_control: str | None) -> int:
    """Return how old an answer may be; 0: it may not be shared.

    Args:
        cache_control: the header of the request; None: there is none.

    """
    found = _MAX_AGE.search(cache_control or "")
    return int(found[1]) if found else 0


def is_large(request: bytes, kind: type[Message]) -> bool:
    """Return whether a read asks for many items.

    Args:
        request: its request, in protobuf's binary format.
        kind: the class of the request.

    """
    if "page_size" not in kind.DESCRIPTOR.fields_by_name:
        return False
    try:
        page_size: int = getattr(kind.FromString(request), "page_size")  # noqa: B009  # Message has no such type
    except DecodeError:
        return False  # the server refuses it
    return page_size > ITEMS_MAX


def _busy() -> Exception:
    return busy("this gateway has too many other reads without a token to answer; try again")
