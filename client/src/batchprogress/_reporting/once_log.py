"""What a reporter logs, to the logger `batchprogress`: each problem once, not once a report."""

import logging

from batchprogress._grpc.retry import Failure

_log = logging.getLogger("batchprogress")


class OnceLog:
    """Logs each problem the first time only.

    Args:
        target: the server's address.

    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._logged: set[str] = set()
        self._is_unavailable = False

    def server_unavailable(self, failure: Failure) -> None:
        """Warn that the server does not answer; again only after it has answered."""
        if not self._is_unavailable:
            self._is_unavailable = True
            reason = f"{failure.code.name}: {failure.message}"
            _log.warning("progress server %s does not answer, reports wait (%s)", self._target, reason)

    def server_answers(self) -> None:
        """Log that the server answers again."""
        if self._is_unavailable:
            self._is_unavailable = False
            _log.info("progress server %s answers again", self._target)

    def report_lost(self, reason: str, message: str) -> None:
        """Warn of the first report that is lost for a reason."""
        if self._is_first(reason):
            _log.warning("a report is lost: %s: %s (logged once; see counts)", reason, message)

    def spool_failed(self, error: OSError) -> None:
        """Warn that the spool does not work."""
        if self._is_first("spool"):
            _log.warning("reports cannot be kept in the spool, only in memory: %s", error)

    def unsent(self, reports: int, *, spooled: bool) -> None:
        """Warn of the reports that are unsent when the reporter closes."""
        fate = "the next process sends them from the spool" if spooled else "only a reconciler recovers them"
        _log.warning("%d reports are unsent at the end: %s", reports, fate)

    def _is_first(self, problem: str) -> bool:
        is_first = problem not in self._logged
        self._logged.add(problem)
        return is_first
