"""What a reporter logs, to the logger `batchprogress`: each problem once, not once a report."""

import logging
from collections import deque
from contextlib import suppress

from batchprogress._grpc.outage import Outage
from batchprogress._grpc.retry import Failure

LOGGED_MAX = 1_000
"""Problems that are remembered: a worker of ever new batches must not fill its memory or its log."""

_ADVICE = {
    "BATCH_FULL": (
        "the batch was created sealed with fewer jobs, or it has ended;"
        " create a batch that grows unsealed, and seal it after its last job"
    )
}
"""What to do about reasons that depend on how a batch was created."""

_UNAVAILABLE = "progress server %s does not answer, reports wait (%s)"
_log = logging.getLogger("batchprogress")


class OnceLog:
    """Logs each problem the first time only.

    Lines are collected first: who reports a problem may hold a lock, and a handler of the user's may block,
    raise, or itself report a job.

    Args:
        target: the server's address.

    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._logged: set[str] = set()
        self._outage = Outage()
        self._last_failure: Failure | None = None
        self._lines: deque[tuple[int, str, tuple[object, ...]]] = deque()

    def write(self) -> None:
        """Write the collected lines to the logger. The caller must hold no lock."""
        while self._lines:
            with suppress(Exception):  # of a handler, or another thread has written the last line
                level, text, arguments = self._lines.popleft()
                _log.log(level, text, *arguments)

    def server_unavailable(self, failure: Failure, now: float) -> None:
        """Log that the server does not answer, as a warning if it lasts; again only after it has answered."""
        is_first = not self._outage.has_begun
        self._last_failure = failure
        if self._outage.failed(now, needs_person=failure.is_refusal or not failure.was_called):
            self._add(logging.WARNING, _UNAVAILABLE, self._target, failure)
        elif is_first:
            self._add(logging.INFO, _UNAVAILABLE, self._target, failure)

    def server_answers(self) -> None:
        """Log that the server answers again."""
        if self._outage.has_begun:
            self._outage.answered()
            self._add(logging.INFO, "progress server %s answers again", self._target)

    def report_deferred(self, failure: Failure) -> None:
        """Warn of the first report that something on the road does not let pass, while others do."""
        if self._is_first(f"deferred: {failure.code.name}"):  # what a proxy says may differ each time
            text = (
                "a report does not reach progress server %s (%s): the others overtake it,"
                " and it is tried again (logged once)"
            )
            self._add(logging.WARNING, text, self._target, failure)

    def report_lost(self, reason: str, message: str) -> None:
        """Warn of the first report that is lost for a reason."""
        if self._is_first(reason):
            self._add(logging.WARNING, "a report is lost: %s: %s (logged once; see counts)", reason, message)

    def report_refused(self, reason: str, message: str, batch_id: str) -> None:
        """Warn of the first report of a batch that the server refuses for a reason, and say what to do."""
        if reason not in _ADVICE or len(self._logged) > LOGGED_MAX:
            self.report_lost(reason, message)
        elif self._is_first(f"{reason} {batch_id}"):
            text = "a report is lost: %s: %s: %s (logged once for each batch; see counts)"
            self._add(logging.WARNING, text, reason, message, _ADVICE[reason])

    def spool_failed(self, error: OSError) -> None:
        """Warn that the spool does not work; again only after it has worked."""
        if self._is_first("spool"):
            self._add(
                logging.WARNING,
                "reports cannot be kept in the spool, only in memory, and are lost if this process dies: %s",
                error,
            )

    def spool_works(self) -> None:
        """Log that every unsent report is in the spool again."""
        if "spool" in self._logged:
            self._logged.remove("spool")
            self._add(logging.INFO, "the spool keeps all unsent reports again")

    def unsent(self, reports: int, lost: int) -> None:
        """Warn of the reports that are unsent when the reporter closes.

        Args:
            reports: how many are unsent.
            lost: how many of these are not in the spool.

        """
        if self._outage.has_begun and not self._outage.is_warned:
            self._add(logging.WARNING, _UNAVAILABLE, self._target, self._last_failure)
        at_end = f"{reports} reports are unsent at the end"
        if lost == reports:
            text = f"{at_end}: only a reconciler recovers them"
        elif lost:
            text = (
                f"{at_end}: {lost} of them are in no file, so only a reconciler recovers these;"
                " the next process sends the others from the spool"
            )
        else:
            text = f"{at_end}: the next process sends them from the spool"
        self._add(logging.WARNING, text)

    def _add(self, level: int, text: str, *arguments: object) -> None:
        self._lines.append((level, text, arguments))

    def _is_first(self, problem: str) -> bool:
        is_first = problem not in self._logged
        self._logged.add(problem)
        return is_first
