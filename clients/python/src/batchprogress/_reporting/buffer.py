"""Holds unanswered reports in order and within bounds. Pure: no lock, no clock, no I/O.

    append ──▶ waiting ───┬──▶ in flight ──▶ answered
                          │       │
               deferred ──┘ ◀─────┘ defer: behind all others

Those in flight whose call failed return to the front of where they came from.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

from batchprogress.errors import ReportNotTaken
from batchprogress.v1 import progress_pb2 as pb

Report = pb.ReportJobResultRequest

CALL_REPORTS_MAX = 10_000
"""The contract's limit for one call."""
CALL_BYTES_MAX = 4 * 1024 * 1024 - 64 * 1024
"""Of the reports in one call: the contract allows 4 MiB for the whole message."""
BUFFER_REPORTS_MAX = 100_000
"""An hour without a server at 28 jobs a second, in about 20 MB of memory."""
BUFFER_BYTES_MAX = 32 * 1024 * 1024
"""Of all unanswered reports: errors of 2,000 characters must not fill a worker's memory. Once half of it is
used, new reports are kept without their error_details."""
FRAME_BYTES_MAX = 6
"""What a report takes in its call besides its own bytes: a tag and a length."""


class Entry(NamedTuple):
    """A report in the buffer."""

    number: int
    """Counts the reports of this buffer from 1."""
    report: Report
    size: int
    """In its call, in bytes."""


class Buffer:
    """A queue of unanswered reports, beside which wait those that no call could carry so far.

    Args:
        reports_max: how many unanswered reports it holds.
        bytes_max: how many bytes they may have together.

    """

    def __init__(self, reports_max: int = BUFFER_REPORTS_MAX, bytes_max: int = BUFFER_BYTES_MAX) -> None:
        self.reports_max = reports_max
        self._bytes_max = bytes_max
        self._waiting: deque[Entry] = deque()
        self._deferred: deque[Entry] = deque()
        self._origin = self._waiting
        """The queue that the reports in flight are from."""
        self._bytes = 0
        self._unkept: set[int] = set()
        self.in_flight: list[Entry] = []
        self.last_number = 0
        """The number of the newest report."""

    def __len__(self) -> int:
        """Return the number of unanswered reports."""
        return len(self.in_flight) + len(self._waiting) + len(self._deferred)

    def __iter__(self) -> Iterator[Report]:
        """Return the unanswered reports: those in flight first, deferred ones last."""
        return (entry.report for entry in self._entries())

    @property
    def has_waiting(self) -> bool:
        """Whether a report is neither in flight nor deferred."""
        return bool(self._waiting)

    @property
    def has_deferred(self) -> bool:
        """Whether a deferred report is not in flight."""
        return bool(self._deferred)

    @property
    def sends_deferred(self) -> bool:
        """Whether the reports in flight were deferred before."""
        return self._origin is self._deferred

    @property
    def has_room(self) -> bool:
        """Whether less than half of each bound is used, so that recovered reports crowd out no new one."""
        return 2 * len(self) < self.reports_max and 2 * self._bytes < self._bytes_max

    @property
    def unkept(self) -> list[Entry]:
        """Unanswered reports that are in no file."""
        return [entry for entry in self._entries() if entry.number in self._unkept] if self._unkept else []

    def mark_unkept(self, number: int) -> None:
        """Note that a report could not be written to a file."""
        if not self.is_answered(number):
            self._unkept.add(number)

    def mark_kept(self, number: int) -> None:
        """Note that a report was written after all."""
        self._unkept.discard(number)

    def append(self, report: Report) -> None:
        """Add a report. Its error_details are left out if they would crowd out other reports.

        Raises:
            ReportNotTaken: BUFFER_FULL. The new report is refused, since an accepted one is never given up.

        """
        size = report.ByteSize() + FRAME_BYTES_MAX
        if report.error_details and 2 * (self._bytes + size) > self._bytes_max:
            report.ClearField("error_details")
            size = report.ByteSize() + FRAME_BYTES_MAX
        if len(self) >= self.reports_max or self._bytes + size > self._bytes_max:
            raise ReportNotTaken("BUFFER_FULL", f"the buffer is full: {len(self):,} reports wait")
        self._append(report, size)

    def append_recovered(self, report: Report) -> None:
        """Add a report that an earlier process had accepted, whatever the bounds."""
        self._append(report, report.ByteSize() + FRAME_BYTES_MAX)

    def claim(self, reports_max: int = CALL_REPORTS_MAX, *, deferred: bool = False) -> None:
        """Put the oldest reports in flight: as many as one call may carry, and at least one."""
        self._origin = self._deferred if deferred else self._waiting
        size = 0
        while self._origin and len(self.in_flight) < reports_max:
            size += self._origin[0].size
            if self.in_flight and size > CALL_BYTES_MAX:
                break
            self.in_flight.append(self._origin.popleft())

    def finish_call(self, unanswered: Iterable[Entry] = ()) -> None:
        """End the call: remove the reports in flight, and return the unanswered ones to the front."""
        back = list(unanswered)
        self._bytes -= sum(entry.size for entry in self.in_flight) - sum(entry.size for entry in back)
        if self._unkept:
            self._unkept -= {entry.number for entry in self.in_flight} - {entry.number for entry in back}
        self.in_flight = []
        self._origin.extendleft(reversed(back))

    def defer(self) -> None:
        """End the call: put the reports in flight behind all others."""
        self._deferred.extend(self.in_flight)
        self.in_flight = []

    def is_answered(self, number: int) -> bool:
        """Whether every report up to this number has its answer."""
        oldest = chain(self.in_flight, islice(self._waiting, 1), self._deferred)  # what waits is in order
        return all(entry.number > number for entry in oldest)

    def _entries(self) -> Iterator[Entry]:
        return chain(self.in_flight, self._waiting, self._deferred)

    def _append(self, report: Report, size: int) -> None:
        self.last_number += 1
        self._bytes += size
        self._waiting.append(Entry(self.last_number, report, size))
