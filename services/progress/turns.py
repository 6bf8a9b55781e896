"""The queue in front of the group transactions: callers take turns. Pure.

A call is cut into parts, and a group takes the parts of one caller after the other. So a caller with a single
result is in the next group, however many results another caller has sent before it; and every other group has
small calls only, so that they wait for the rest of a large group, but not for another one.
"""

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from batches.result import JobResult

GROUP_WORK_MAX = 2_000
"""The work of a group, where a result with a short error counts 1: twice the number of workers we are made
for, and some 20 ms, so that no group delays the next one for long."""
TURN_WORK_MAX = 500
"""The work of one caller in a group, while others wait: what our client sends in a call, and some 10 ms."""
PART_WORK_MAX = 100
"""The work of a part of a large call: a group has as many of them as it has time for."""
SMALL_WORK_MAX = 10
"""The work of a small call, and any single result is one: workers report each result as it ends."""
SMALL_EXPECTED_GROUPS = 100
"""After a group with a small call, the next ones, for about a second, expect another: a worker sends its next
result when the last one is answered and a job has ended. Without that, it would always find a large group
ahead of it."""
CHARACTERS_PER_WORK = 100
"""An error message of this length costs about as much as the rest of a result: its template is computed."""

Call = TypeVar("Call")


@dataclass(slots=True, eq=False)
class Part(Generic[Call]):
    """Results of one call that are recorded together."""

    call: Call
    results: Sequence[JobResult]
    work: int
    is_small: bool = False
    """Whether it is the whole of a small call."""


class Turns(Generic[Call]):
    """The parts that wait, by caller."""

    def __init__(self) -> None:
        self._parts: dict[Hashable, deque[Part[Call]]] = {}
        """By caller; the first one is next."""
        self._groups_since_small = SMALL_EXPECTED_GROUPS
        self._is_without_large = False
        """Whether the last group had small calls only."""
        self.parts = 0
        """The number of parts that wait."""
        self.work = 0
        """Their work."""

    def add(self, caller: Hashable, parts: Sequence[Part[Call]]) -> None:
        """Let a caller's parts wait behind those that it has waiting already."""
        waiting = self._parts.get(caller)
        if waiting is None:
            self._parts[caller] = deque(parts)
        else:
            waiting.extend(parts)
        self._count(parts, 1)

    def take_group(
        self, group_work_max: int = GROUP_WORK_MAX, large_work_max: int = TURN_WORK_MAX
    ) -> list[Part[Call]]:
        """Remove the parts of the next group: a turn of each caller, as far as they fit; at least one part.

        A caller that waits alone fills the group. While small calls are expected, the large ones of all
        callers share less; while small ones wait, the large ones are in every other group only.

        Args:
            group_work_max: the work of a group.
            large_work_max: the work of the large calls in it while small calls are expected.

        """
        small_waits = any(waiting[0].is_small for waiting in self._parts.values())
        self._groups_since_small = 0 if small_waits else self._groups_since_small + 1
        self._is_without_large = small_waits and not self._is_without_large
        is_small_expected = self._groups_since_small < SMALL_EXPECTED_GROUPS
        left_for_large = min(large_work_max, group_work_max) if is_small_expected else group_work_max
        return self._take_turns(group_work_max, 0 if self._is_without_large else left_for_large)

    def drop(self, caller: Hashable, call: Call) -> int:
        """Remove the waiting parts of a call; return their number."""
        waiting = self._parts.get(caller, ())
        dropped = [part for part in waiting if part.call is call]
        for part in dropped:
            self._parts[caller].remove(part)
        if dropped and not waiting:
            del self._parts[caller]
        self._count(dropped, -1)
        return len(dropped)

    def _take_turns(self, left: int, left_for_large: int) -> list[Part[Call]]:
        """Remove a turn of each caller."""
        turn_work_max = TURN_WORK_MAX if len(self._parts) > 1 else left
        group: list[Part[Call]] = []
        for caller in list(self._parts):
            if left <= 0:
                break
            is_small = self._parts[caller][0].is_small
            room = min(turn_work_max, left if is_small else min(left, left_for_large))
            taken = self._take(caller, room, at_least_one=not group and room > 0)
            group += taken
            work = sum(part.work for part in taken)
            left -= work
            left_for_large -= 0 if is_small else work
        self._count(group, -1)
        return group

    def _take(self, caller: Hashable, work_max: int, *, at_least_one: bool) -> list[Part[Call]]:
        """Remove the first parts of a caller, all large or all small; its next turn is after all others'."""
        waiting = self._parts[caller]
        is_small = waiting[0].is_small
        taken: list[Part[Call]] = []
        while (
            waiting
            and waiting[0].is_small is is_small
            and (waiting[0].work <= work_max or (at_least_one and not taken))
        ):
            part = waiting.popleft()
            taken.append(part)
            work_max -= part.work
        if taken:
            del self._parts[caller]
            if waiting:
                self._parts[caller] = waiting
        return taken

    def _count(self, parts: Sequence[Part[Call]], sign: int) -> None:
        self.parts += sign * len(parts)
        for part in parts:
            self.work += sign * part.work


def parts_of(call: Call, results: Sequence[JobResult]) -> list[Part[Call]]:
    """Cut the results of a call into parts, each of which a caller may record in one turn."""
    if len(results) == 1:  # most calls, at a third of the time
        return [Part(call, results, _work_of(results[0]), is_small=True)]
    work = [_work_of(result) for result in results]
    total = sum(work)
    if total <= PART_WORK_MAX:
        return [Part(call, results, total, is_small=total <= SMALL_WORK_MAX)]
    return [Part(call, results[first:end], sum(work[first:end])) for first, end in _cuts(work)]


def is_divisible(group: list[Part[Call]]) -> bool:
    """Return whether a group has more than one result."""
    return len(group) > 1 or len(group[0].results) > 1


def halves_of(group: list[Part[Call]]) -> list[list[Part[Call]]]:
    """Return a group of more than one result as two; a single part becomes two parts."""
    if len(group) > 1:
        middle = len(group) // 2
        return [group[:middle], group[middle:]]
    part = group[0]
    middle = len(part.results) // 2
    halves = (part.results[:middle], part.results[middle:])
    return [[Part(part.call, half, sum(map(_work_of, half)))] for half in halves]


def _cuts(work: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = total = 0
    for end, one in enumerate(work):
        if end > first and total + one > PART_WORK_MAX:
            yield first, end
            first, total = end, 0
        total += one
    yield first, len(work)


def _work_of(result: JobResult) -> int:
    return 1 + len(result.error_message) // CHARACTERS_PER_WORK
