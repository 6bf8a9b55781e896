"""Gives way to other calls during long work on the event loop."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

SLICE_SECONDS = 0.00025
"""How long a call may keep the event loop, twice as long as a turn of the loop takes without it. A report
needs two dozen turns, each of which may have to wait for a slice of another call."""
ITEMS_AT_ONCE = 10
"""Items between two looks at the clock, of some microseconds each."""
FEW_ITEMS_MAX = 50
"""Items that are one slice, which waits for no other."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Slices:
    """Does long work in slices: in each turn of the event loop one of them, whose call is next."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Return the result of the work for each item. Few items are one slice, which waits for no other."""
        if len(items) <= FEW_ITEMS_MAX:
            return [work(item) for item in items]
        results: list[Result] = []
        rest = iter(items)
        while len(results) < len(items):
            async with self._turn:
                _work_on(work, rest, results)
                await asyncio.sleep(0)
        return results


def _work_on(work: Callable[[Item], Result], rest: Iterator[Item], results: list[Result]) -> None:
    """Work until a slice is over."""
    end = time.perf_counter() + SLICE_SECONDS
    while done := [work(item) for item in islice(rest, ITEMS_AT_ONCE)]:
        results += done
        if time.perf_counter() >= end:
            return
