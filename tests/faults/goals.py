"""Numbers that rise, and the tasks that wait until they are high enough."""

import asyncio
import heapq
from itertools import count


class Goals:
    """Values of one number that tasks wait for."""

    def __init__(self) -> None:
        self._order = count()  # of equal goals: events cannot be compared
        self._goals: list[tuple[int, int, asyncio.Event]] = []

    async def wait(self, goal: int) -> None:
        """Wait until the number has reached a goal."""
        event = asyncio.Event()
        heapq.heappush(self._goals, (goal, next(self._order), event))
        await event.wait()

    def reached(self, number: int) -> None:
        """Wake all whose goal is not above the number."""
        while self._goals and self._goals[0][0] <= number:
            heapq.heappop(self._goals)[2].set()
