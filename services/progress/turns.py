"""The queue in front of the group transactions: callers take turns. Pure.

A call is cut into parts, and a group takes the parts of one caller after the other. So a caller with a single
result is in the next group, however many results another caller has sent before it.
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
"""The work of one caller in a group, while others wait: what our client sends in a call, and some 5 ms."""
CHARACTERS_PER_WORK = 100
"""An error message of this length costs about as much as the rest of a result: its template is computed."""

Call = TypeVar("Call")


@dataclass(slots=True, eq=False)
class Part(Generic[Call]):
    """Results of one call that are recorded together."""

    call: Call
    results: Sequence[JobResult]
    work: int


class Turns(Generic[Call]):
    """The parts that wait, by caller."""

    def __init__(self) -> None:
        self._order: deque[Hashable] = deque()
        """The callers that wait; the first is next."""
        self._parts: dict[Hashable, deque[Part[Call]]] = {}
        self.parts = 0
        """The number of parts that wait."""
        self.work = 0
        """Their work."""

    def add(self, caller: Hashable, parts: Sequence[Part[Call]]) -> None:
        """Let a caller's parts wait behind those that it has waiting already."""
        waiting = self._parts.get(caller)
        if waiting is None:
            waiting = self._parts[caller] = deque()
            self._order.append(caller)
        waiting.extend(parts)
        self._count(parts, 1)

    def take_group(self, group_work_max: int = GROUP_WORK_MAX) -> list[Part[Call]]:
        """Remove the parts of the next group: a turn of each caller, as far as they fit; at least one part.

        A caller that waits alone fills the group.
        """
        turn_work_max = TURN_WORK_MAX if len(self._order) > 1 else group_work_max
        group: list[Part[Call]] = []
        work = 0
        for _ in range(len(self._order)):
            work_max = min(turn_work_max, group_work_max - work)
            taken = self._take(self._order[0], work_max, at_least_one=not group)
            if not taken:
                break
            group += taken
            work += sum(part.work for part in taken)
        self._count(group, -1)
        return group

    def drop(self, caller: Hashable, call: Call) -> int:
        """Remove the waiting parts of a call; return their number."""
        waiting = self._parts.get(caller, ())
        dropped = [part for part in waiting if part.call is call]
        for part in dropped:
            self._parts[caller].remove(part)
        if dropped and not waiting:
            self._order.remove(caller)
            del self._parts[caller]
        self._count(dropped, -1)
        return len(dropped)

    def _take(self, caller: Hashable, work_max: int, *, at_least_one: bool) -> list[Part[Call]]:
        """Remove the first parts of the caller whose turn it is; its next turn is after all others'."""
        waiting = self._parts[caller]
        taken: list[Part[Call]] = []
        while waiting and (waiting[0].work <= work_max or (at_least_one and not taken)):
            part = waiting.popleft()
            taken.append(part)
            work_max -= part.work
        if not waiting:
            del self._parts[self._order.popleft()]
        elif taken:
            self._order.rotate(-1)
        return taken

    def _count(self, parts: Sequence[Part[Call]], sign: int) -> None:
        self.parts += sign * len(parts)
        for part in parts:
            self.work += sign * part.work


def parts_of(call: Call, results: Sequence[JobResult]) -> list[Part[Call]]:
    """Cut the results of a call into parts, each of which a caller may record in one turn."""
    if len(results) == 1:  # most calls, at a third of the time
        return [Part(call, results, _work_of(results[0]))]
    work = [_work_of(result) for result in results]
    total = sum(work)
    if total <= TURN_WORK_MAX:
        return [Part(call, results, total)]
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
        if end > first and total + one > TURN_WORK_MAX:
            yield first, end
            first, total = end, 0
        total += one
    yield first, len(work)


def _work_of(result: JobResult) -> int:
    return 1 + len(result.error_message) // CHARACTERS_PER_WORK
