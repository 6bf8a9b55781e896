"""The results that wait to be recorded, and the size of their requests, by caller. Pure."""

from collections.abc import Hashable
from dataclasses import dataclass

from services.progress.errors import BacklogFull, CallerResultsFull

RESULT_BYTES = 336
"""The bytes of requests that may wait for each result of the backlog: 32 MiB for 100,000, with errors of 280
characters each. A waiting request takes up to five times its size: its bytes, its message, its results."""


@dataclass(slots=True)
class _Share:
    """What waits of one caller."""

    results: int = 0
    request_bytes: int = 0


class Backlog:
    """Counts the results that wait, and refuses more than a server can hold.

    Args:
        results_max: results that may wait, with requests of RESULT_BYTES for each. One caller may have half
            of both, which leaves room for others.

    """

    def __init__(self, results_max: int) -> None:
        self._results_max = results_max
        self._bytes_max = results_max * RESULT_BYTES
        self._of: dict[Hashable, _Share] = {}
        self._bytes = 0
        self.results = 0
        """The number of results that wait."""

    def require_room(self, results: int, request_bytes: int) -> None:
        """Check that results would be accepted now, whoever sends them.

        Raises:
            BacklogFull: there are too many results, or too large requests; one alone may have any size.

        """
        if self.results + results > self._results_max:
            raise BacklogFull
        if self._bytes and self._bytes + request_bytes > self._bytes_max:
            raise BacklogFull

    def add(
        self, caller: Hashable, results: int, request_bytes: int, caller_results_max: int | None = None
    ) -> None:
        """Count the results of a call. A caller without any may send as many as there is room for.

        Args:
            caller: whose results these are.
            results: their number.
            request_bytes: the size of their request.
            caller_results_max: the limit of the caller's results; None: it has none of its own.

        Raises:
            CallerResultsFull, BacklogFull: none of them is counted.

        """
        own = self._of.get(caller)
        if own is not None and caller_results_max is not None and own.results + results > caller_results_max:
            raise CallerResultsFull
        self.require_room(results, request_bytes)
        if own is None:
            own = self._of[caller] = _Share()
        elif (
            own.results + results > self._results_max // 2
            or own.request_bytes + request_bytes > self._bytes_max // 2
        ):
            raise BacklogFull
        own.results += results
        own.request_bytes += request_bytes
        self.results += results
        self._bytes += request_bytes

    def remove(self, caller: Hashable, results: int, request_bytes: int) -> None:
        """Stop counting the results of a call, which no longer wait."""
        own = self._of[caller]
        own.results -= results
        own.request_bytes -= request_bytes
        self.results -= results
        self._bytes -= request_bytes
        if not own.results:
            del self._of[caller]
