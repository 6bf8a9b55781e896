"""What a reporter logs: each thing once, not once a report. The logger is `batchprogress`."""

import logging

from batchprogress._grpc.retry import Failure

_log = logging.getLogger("batchprogress")


class Notices:
    """Remembers what was said."""

    def __init__(self, target: str) -> None:
        """Take the server's address."""
        self._target = target
        self._said: set[str] = set()
        self._away = False

    def away(self, failure: Failure) -> None:
        """Warn that the server does not answer, once until it does."""
        if not self._away:
            self._away = True
            why = f"{failure.code.name}: {failure.message}"
            _log.warning("progress server %s does not answer, reports wait (%s)", self._target, why)

    def back(self) -> None:
        """Say that it answers again."""
        if self._away:
            self._away = False
            _log.info("progress server %s answers again", self._target)

    def once(self, reason: str, message: str) -> None:
        """Warn of the first report that is lost for a reason; the others are only counted."""
        if reason not in self._said:
            self._said.add(reason)
            _log.warning("a report is lost: %s: %s (said once; see counts)", reason, message)

    def spool_failed(self, error: OSError) -> None:
        """Warn, once, that reports are held in memory only."""
        if "spool" not in self._said:
            self._said.add("spool")
            _log.warning("reports cannot be kept in the spool, only in memory: %s", error)

    def unsent(self, reports: int, *, spooled: bool) -> None:
        """Warn of what is unsent at the end."""
        what = "they wait in the spool for the next process" if spooled else "only a reconciler repairs them"
        _log.warning("%d reports are unsent at the end: %s", reports, what)
