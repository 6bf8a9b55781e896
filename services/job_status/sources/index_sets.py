"""The sets of numbers in a Job's status: `0-4003,4005,4007-4010`, of any size, never spelled out."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from services.job_status.source import QueueContradiction

_PART = re.compile(r"(\d{1,10})(?:-(\d{1,10}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class IndexSet:
    """Ranges, rising and apart, as Kubernetes writes them."""

    firsts: tuple[int, ...] = ()
    lasts: tuple[int, ...] = ()
    """Of each range the last number, which is in it."""

    def __len__(self) -> int:
        """Count the numbers."""
        return sum(self.lasts) - sum(self.firsts) + len(self.firsts)

    def __contains__(self, index: int) -> bool:
        """Tell whether a number is in one of the ranges."""
        place = bisect_left(self.lasts, index)
        return place < len(self.lasts) and self.firsts[place] <= index

    def __iter__(self) -> Iterator[int]:
        """Yield the numbers, rising."""
        for first, last in zip(self.firsts, self.lasts, strict=True):
            yield from range(first, last + 1)

    def meets(self, other: "IndexSet") -> bool:
        """Tell whether a number is in both: then one of the ranges begins within another."""
        return any(first in other for first in self.firsts) or any(first in self for first in other.firsts)


def parsed_index_set(text: str | None, end: int) -> IndexSet:
    """Return the numbers below `end` of the set that a text tells; none or an empty text is the empty set.

    A Job that was scaled down keeps indexes that it no longer has; Kubernetes passes over them too.

    Raises:
        QueueContradiction: it is none that Kubernetes writes: not rising, or no numbers.

    """
    firsts: list[int] = []
    lasts: list[int] = []
    before = -1
    for part in text.split(",") if text else ():
        found = _PART.fullmatch(part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if last < first or first <= before:
            raise QueueContradiction("a set of indexes is none that Kubernetes writes")
        before = last
        if first < end:
            firsts.append(first)
            lasts.append(min(last, end - 1))
    return IndexSet(tuple(firsts), tuple(lasts))
