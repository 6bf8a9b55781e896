"""Reports that wait for their answers, in order, within bounds. Pure: no lock, no clock, no I/O."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from batchprogress.errors import ReportNotTaken
from batchprogress.v1 import progress_pb2 as pb

Report = pb.ReportJobResultRequest

CALL_REPORTS_MAX = 10_000
"""The contract's limit of one call."""
CALL_BYTES_MAX = 4 * 1024 * 1024 - 64 * 1024
"""Of one call: the contract's limit is 4 MiB for the whole message."""
BUFFER_REPORTS_MAX = 100_000
"""An hour without a server at 28 jobs a second, or some 20 MB of memory."""
BUFFER_BYTES_MAX = 32 * 1024 * 1024
"""Of all waiting reports: errors of 2,000 characters must not fill a worker's memory."""
FRAME_BYTES_MAX = 6
"""What a report takes in its call besides its own bytes: a tag and a length."""


class Entry(NamedTuple):
    """A report in the buffer."""

    number: int
    report: Report
    size: int


class Buffer:
    """Holds reports until they are settled; those of the call under way are the oldest of them."""

    def __init__(self, reports_max: int = BUFFER_REPORTS_MAX, bytes_max: int = BUFFER_BYTES_MAX) -> None:
        """Begin empty."""
        self._reports_max = reports_max
        self._bytes_max = bytes_max
        self._waiting: deque[Entry] = deque()
        self._bytes = 0
        self.under_way: list[Entry] = []
        self.newest = 0
        """The number of the report that was put last."""

    def __len__(self) -> int:
        """Return how many reports are not settled."""
        return len(self._waiting) + len(self.under_way)

    def __iter__(self) -> Iterator[Report]:
        """Return the reports that are not settled, oldest first."""
        yield from (entry.report for entry in self.under_way)
        yield from (entry.report for entry in self._waiting)

    @property
    def has_waiting(self) -> bool:
        """Whether there is something for a next call."""
        return bool(self._waiting)

    def put(self, report: Report) -> None:
        """Add a report.

        Raises:
            ReportNotTaken: BUFFER_FULL. The new one is given up, not an old one: what was taken stays taken.

        """
        size = report.ByteSize() + FRAME_BYTES_MAX
        if len(self) >= self._reports_max or self._bytes + size > self._bytes_max:
            raise ReportNotTaken("BUFFER_FULL", f"{len(self)} reports wait already")
        self._append(report, size)

    def put_beyond_bounds(self, report: Report) -> None:
        """Add a report that was taken once, by a process that is gone."""
        self._append(report, report.ByteSize() + FRAME_BYTES_MAX)

    def take(self, reports_max: int = CALL_REPORTS_MAX) -> None:
        """Make the oldest reports those of a call under way: as many as a call may carry, at least one."""
        size = 0
        while self._waiting and len(self.under_way) < reports_max:
            size += self._waiting[0].size
            if self.under_way and size > CALL_BYTES_MAX:
                break
            self.under_way.append(self._waiting.popleft())

    def settle(self, unanswered: Iterable[Entry] = ()) -> None:
        """End the call under way: its reports are done with, but for these, which go back to the front."""
        back = list(unanswered)
        self._bytes -= sum(entry.size for entry in self.under_way) - sum(entry.size for entry in back)
        self.under_way = []
        self._waiting.extendleft(reversed(back))

    def is_settled(self, number: int) -> bool:
        """Whether every report up to this number is done with."""
        oldest = self.under_way or self._waiting
        return not oldest or oldest[0].number > number

    def _append(self, report: Report, size: int) -> None:
        self.newest += 1
        self._bytes += size
        self._waiting.append(Entry(self.newest, report, size))
