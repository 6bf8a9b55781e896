"""How many reports the next call carries, and how long to wait before it. Pure: the clock is passed in."""

import random
from dataclasses import dataclass

from batchprogress._grpc.retry import Failure, backoff_seconds
from batchprogress._reporting.buffer import CALL_REPORTS_MAX

DEFERRED_SECONDS_MIN = 5.0
"""The upper bound of the first delay of deferred reports: as long as any delay of the others."""
DEFERRED_SECONDS_MAX = 60.0
"""The upper bound of every later delay: a proxy that hangs for the 10 s of a try holds up the others for a
quarter of the time at most."""
FILL_SECONDS = 0.05
"""Between a small call that was answered and the next one, so that more reports share it: a call costs a
worker as much as a short job. A lone report is sent at once, and nobody sees the delay in a progress bar."""
FULL_REPORTS = 500
"""A call with as many is worth its cost: the next one follows at once."""
_DOUBLINGS_MAX = 16

_random = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Pause:
    """How long to wait before the next call."""

    seconds: float = 0.0
    is_interruptible: bool = True
    """Whether flush() may cut it short; not if the server asked for it."""


class CallSize:
    """Halves with each call that may be too large, and doubles with each that passes.

    Args:
        reports_max: the size of the first call.

    """

    def __init__(self, reports_max: int = CALL_REPORTS_MAX) -> None:
        self.reports_max = reports_max

    def halve(self, reports: int) -> None:
        """Carry at most half of the reports that the last call has carried."""
        self.reports_max = max(1, reports // 2)

    def grow(self) -> None:
        """Carry twice as many reports, up to the limit of the contract."""
        self.reports_max = min(CALL_REPORTS_MAX, self.reports_max * 2)


class CallPace:
    """The size of calls, and the pauses between them."""

    def __init__(self) -> None:
        self.size = CallSize()
        self._failures = 0
        self._has_deferred = False

    def failed(self, failure: Failure, reports: int, *, others_wait: bool) -> Pause:
        """Return how long to wait after a call with a number of reports has failed."""
        # The others may pass at once. If the next report does not either, everything is refused.
        is_brief = failure.depends_on_content and not self._has_deferred and (reports > 1 or others_wait)
        if failure.may_pass_in_parts:
            self.size.halve(reports)
        self._has_deferred = self._has_deferred or reports == 1
        self._failures += 1
        if is_brief:
            return Pause(backoff_seconds(0))
        return Pause(failure.delay_seconds(self._failures - 1), not failure.retry_seconds)

    def answered(self, reports: int, *, is_complete: bool) -> Pause:
        """Return how long to wait after a call with a number of reports was answered, perhaps not for all."""
        self.size.grow()
        if not is_complete:
            self._failures += 1
            return Pause(backoff_seconds(self._failures - 1))
        self.reset()
        may_grow = reports < FULL_REPORTS and self.size.reports_max == CALL_REPORTS_MAX
        return Pause(FILL_SECONDS) if may_grow else Pause()

    def reset(self) -> None:
        """Make the next pause as short as the first one."""
        self._failures = 0
        self._has_deferred = False

    @property
    def has_failed(self) -> bool:
        """Whether no call has passed since the last failure."""
        return self._failures > 0


class DeferredPace:
    """Sends deferred reports one by one and seldom, and fast again once they pass."""

    def __init__(self) -> None:
        self.size = CallSize(1)
        self._failures = 0
        self._due = 0.0

    def seconds_left(self, now: float) -> float:
        """Return how many seconds to wait before the next call with deferred reports."""
        return max(0.0, self._due - now)

    def failed(self, now: float, retry_seconds: float = 0.0) -> None:
        """Wait, longer with each failure in a row, and then send a single report."""
        bound = min(DEFERRED_SECONDS_MAX, DEFERRED_SECONDS_MIN * 2 ** min(self._failures, _DOUBLINGS_MAX))
        self._due = now + retry_seconds + _random.uniform(bound / 2, bound)
        self._failures += 1
        self.size = CallSize(1)

    def answered(self, now: float, *, is_complete: bool) -> None:
        """Send the next ones at once, and more of them; not if some have no answer."""
        if not is_complete:
            self.failed(now)
            return
        self._failures = 0
        self.size.grow()
        self.try_now(now)

    def try_now(self, now: float) -> None:
        """Send at once: the others pass again, or somebody waits for the answers."""
        self._due = now
