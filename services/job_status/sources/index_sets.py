"""The index sets in a Job's status, such as `0-4003,4005,4007-4010`, kept as ranges whatever their size."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from services.job_status.source import QueueContradiction

_RANGE = re.compile(r"(\d{1,10})(?:-(\d{1,10}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class IndexSet:
    """A set of numbers as disjoint ranges in ascending order."""

    firsts: tuple[int, ...] = ()
    """The first number of each range."""
    lasts: tuple[int, ...] = ()
    """The last number of each range, inclusive."""

    def __len__(self) -> int:
        """Return how many numbers are in the set."""
        return sum(self.lasts) - sum(self.firsts) + len(self.firsts)

    def __contains__(self, index: int) -> bool:
        """Return whether a number is in the set."""
        position = bisect_left(self.lasts, index)
        return position < len(self.lasts) and self.firsts[position] <= index

    def __iter__(self) -> Iterator[int]:
        """Yield the numbers in ascending order."""
        for first, last in zip(self.firsts, self.lasts, strict=True):
            yield from range(first, last + 1)

    def overlaps(self, other: "IndexSet") -> bool:
        """Return whether the sets share a number: then a range of one starts within a range of the other."""
        return any(first in other for first in self.firsts) or any(first in self for first in other.firsts)


def first_indexes(number: int) -> IndexSet:
    """Return the set of the first `number` indexes."""
    return IndexSet((0,), (number - 1,)) if number else IndexSet()


def parse_index_set(text: str | None, end: int) -> IndexSet:
    """Parse an index set as Kubernetes writes it, ignoring numbers from `end` on.

    A Job that was scaled down keeps indexes beyond its completions; Kubernetes ignores them too.

    Args:
        text: the set; None or an empty text is the empty set.
        end: the number of completions of the Job.

    Returns:
        The numbers below `end`.

    Raises:
        QueueContradiction: the text is not a set of ascending ranges.

    """
    firsts: list[int] = []
    lasts: list[int] = []
    previous = -1
    for part in text.split(",") if text else ():
        found = _RANGE.fullmatch(part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if last < first or first <= previous:
            raise QueueContradiction("an index set is not in the format of Kubernetes")
        previous = last
        if first < end:
            firsts.append(first)
            lasts.append(min(last, end - 1))
    return IndexSet(tuple(firsts), tuple(lasts))
