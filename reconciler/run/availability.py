"""Decides whether the job-status service is away: it is only if it answers nobody."""

from collections.abc import Awaitable, Callable

from reconciler.decision.not_repaired import NotRepairedReason
from reconciler.queue.port import ServiceHealth
from reconciler.run.deadline import StopReason

UNANSWERED_IN_A_ROW_MAX = 5
"""After this many batches in a row without an answer, the service's health is checked. Each of them cost a
deadline or several tries already."""
UNANSWERED_WITHOUT_HEALTH_MAX = 50
"""The limit for a service without a health check: it may be silent only because these batches are too large.
At 10 s each, four at a time, it is reached after half of a pass, and the next pass begins with others."""
DENIED_IN_A_ROW_MAX = 5
"""A token is refused for all batches alike; some batches may still be hidden from a caller."""

CheckHealth = Callable[[], Awaitable[ServiceHealth]]

_DENIED = NotRepairedReason.ACCESS_DENIED
_UNANSWERED = frozenset({NotRepairedReason.QUEUE_UNAVAILABLE, NotRepairedReason.TIMED_OUT})
_NOT_ASKED = frozenset(
    {
        NotRepairedReason.CUT_SHORT,
        NotRepairedReason.DATABASE_UNAVAILABLE,
        NotRepairedReason.ENDED,
        NotRepairedReason.UNEXPECTED,
    }
)
"""Reasons that do not say whether the service answered."""


class Availability:
    """Follows the batches of a pass, and says when the service is away.

    Args:
        check_health: Asks the service for its health.

    """

    def __init__(self, check_health: CheckHealth) -> None:
        self._check_health = check_health
        self._has_answered = self._was_unavailable = False
        self._unanswered_in_a_row = self._denied_in_a_row = 0

    async def stop_reason(self, reason: NotRepairedReason | None) -> StopReason | None:
        """Add a batch; return why the pass should stop, None if another batch may fare better.

        Args:
            reason: Why the batch was not repaired, None if it was.

        """
        self._add(reason)
        if self._denied_in_a_row >= DENIED_IN_A_ROW_MAX:
            return StopReason.ACCESS_DENIED
        if self._unanswered_in_a_row < UNANSWERED_IN_A_ROW_MAX:
            return None
        health = await self._check_health()
        is_silent = self._unanswered_in_a_row >= UNANSWERED_WITHOUT_HEALTH_MAX
        if health is ServiceHealth.NOT_SERVING or (health is ServiceHealth.UNKNOWN and is_silent):
            return StopReason.QUEUE_UNAVAILABLE
        return None

    async def final_stop_reason(self) -> StopReason | None:
        """Return why a pass that has checked all batches repaired none, None if the service answered."""
        if self._has_answered:
            return None
        if self._denied_in_a_row:
            return StopReason.ACCESS_DENIED
        if not self._unanswered_in_a_row:
            return None
        health = await self._check_health()
        # A service that says that it has no health check answers, so batches that time out are only slow.
        is_away = health is ServiceHealth.UNKNOWN and self._was_unavailable
        return StopReason.QUEUE_UNAVAILABLE if is_away or health is ServiceHealth.NOT_SERVING else None

    def _add(self, reason: NotRepairedReason | None) -> None:
        if reason in _NOT_ASKED:
            return
        self._unanswered_in_a_row = self._unanswered_in_a_row + 1 if reason in _UNANSWERED else 0
        self._denied_in_a_row = self._denied_in_a_row + 1 if reason is _DENIED else 0
        self._was_unavailable |= reason is NotRepairedReason.QUEUE_UNAVAILABLE
        self._has_answered |= not (self._unanswered_in_a_row or self._denied_in_a_row)
