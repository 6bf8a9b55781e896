"""Logs why a queue cannot be reached, once for each cause: readiness probes alone ask every two seconds."""

import structlog

_log = structlog.get_logger()


class OutageLog:
    """Logs a warning when the cause of an outage changes.

    Args:
        message: the text of the warning.

    """

    def __init__(self, message: str) -> None:
        self._message = message
        self._last_cause = ""

    def failed(self, error: Exception) -> None:
        """Log the cause unless the previous call failed for the same one."""
        cause = str(getattr(error, "orig", None) or error) or type(error).__name__
        if cause != self._last_cause:
            _log.warning(self._message, cause=cause)
        self._last_cause = cause

    def recovered(self) -> None:
        """Forget the last cause, so that the next outage is logged."""
        self._last_cause = ""
