"""How long a group stays open for calls that come one by one (docs/decisions/0006)."""

import asyncio
from typing import Generic

from services.progress.turns import Call, Part, Turns

GATHER_SECONDS_MAX = 0.03
"""How long a call may wait for others to share its transaction. Some hundred calls arrive in that time, with
which the fixed cost of a transaction is a tenth of the cost of its calls."""
GATHER_STEP_SECONDS = 0.002
"""The wait ends if no call arrives for this long; on a busy server several do."""
GATHER_TURNS = 10
"""It ends after so many turns of the event loop without a call, some 0.1 ms, if as many wait as the last
group had and as came during it: workers send their next reports when they are answered."""


class Gathering(Generic[Call]):
    """The group that is open.

    Args:
        turns: the parts of calls that wait.

    """

    def __init__(self, turns: Turns[Call]) -> None:
        self._turns = turns
        self._opened_seconds = 0.0
        """When the first part came, on the clock of the event loop."""
        self._has_company = False
        """Whether the last group had several calls."""
        self._expected_parts = 0
        """Those of the last group, whose callers come back, and those that waited for it."""
        self._has_expected = asyncio.Event()

    def before_first(self) -> None:
        """Note that the first parts of a group are about to come."""
        self._opened_seconds = asyncio.get_running_loop().time()

    def came(self) -> None:
        """Note that parts have come."""
        if self._turns.parts >= self._expected_parts:
            self._has_expected.set()

    def taken(self, group: list[Part[Call]]) -> None:
        """Note which parts were taken; what is left has waited already."""
        self._opened_seconds = 0.0
        self._has_company = group[0].call is not group[-1].call

    def ended(self, group: list[Part[Call]]) -> None:
        """Note that the callers of a group are answered."""
        self._expected_parts = len(group) + self._turns.parts

    async def wait(self, work_max: int) -> None:
        """Leave the group open while calls keep coming, if the last group had several calls.

        Args:
            work_max: the work of a full group.

        """
        clock = asyncio.get_running_loop().time
        close = self._opened_seconds + GATHER_SECONDS_MAX
        seen = 0 if self._has_company else self._turns.parts
        while seen < self._turns.parts and self._turns.work < work_max and clock() < close:
            seen = self._turns.parts
            if seen < self._expected_parts:
                await self._wait_for_expected()
            else:
                for _ in range(GATHER_TURNS):
                    await asyncio.sleep(0)

    async def _wait_for_expected(self) -> None:
        """Wait for a step, or until all expected parts wait."""
        self._has_expected.clear()
        step = asyncio.get_running_loop().call_later(GATHER_STEP_SECONDS, self._has_expected.set)
        try:
            await self._has_expected.wait()
        finally:
            step.cancel()
