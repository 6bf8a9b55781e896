"""Logs why the progress server refuses the dashboard: hundreds of watches meet the same refusal."""

import time

import structlog

from services.dashboard.errors import Refused

TOLD_AGAIN_SECONDS = 60.0
"""The interval of log lines about one reason: with a wrong token 500 watches retry every second."""

_log = structlog.get_logger()


class Refusals:
    """Logs each reason at most once a minute."""

    def __init__(self) -> None:
        self._told_at: dict[str, float] = {}

    def tell(self, event: str, reason: str) -> Refused:
        """Log the reason, unless it was logged within the last minute; return the error for the page."""
        now = time.monotonic()
        if now - self._told_at.get(reason, -TOLD_AGAIN_SECONDS) >= TOLD_AGAIN_SECONDS:
            self._told_at[reason] = now
            _log.warning(event, reason=reason)
        return Refused()
