"""Telling the log why the progress server is of no use: hundreds of watches and pages find the same."""

import time

import structlog

from services.dashboard.errors import Refused

TOLD_AGAIN_SECONDS = 60.0
"""From one line about a reason to the next: with a wrong token 500 watches try once a second each."""

_log = structlog.get_logger()


class Refusals:
    """What was told of late, by reason; the reasons are few."""

    def __init__(self) -> None:
        """Begin with none."""
        self._told_at: dict[str, float] = {}

    def tell(self, event: str, reason: str) -> Refused:
        """Tell the log, unless it was just told, and return what a page is told."""
        now = time.monotonic()
        if now - self._told_at.get(reason, -TOLD_AGAIN_SECONDS) >= TOLD_AGAIN_SECONDS:
            self._told_at[reason] = now
            _log.warning(event, reason=reason)
        return Refused()
