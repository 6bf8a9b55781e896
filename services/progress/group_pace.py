"""When the next group may begin, so that servers on several nodes of a cluster take turns. Pure.

Where several nodes write one batch, the transaction that commits first wins, and the others run again. A
short one wins nearly always: eight workers of one server would make the thousand of another one start over
all the time. A winner does not see that, but it loses now and then itself. So a server that has met conflicts
waits after each of its groups. The others record theirs meanwhile, and its own next group is larger.
"""

import random
from collections import deque
from collections.abc import Callable

PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.25, 0.5
"""Between the groups of a server that competes: longer than a group of a thousand workers takes (0.1 to
0.3 s), and never the same, so that servers do not stay in step. A report waits half a second longer at most.
"""
COMPETING_CONFLICTS_MIN = 2
"""One may be a deadlock, which happens on a single database, too."""
COMPETING_SECONDS = 10.0
"""How long a conflict is remembered. A server that forgets too early meets the next ones within a second."""


class GroupPace:
    """The pauses of a server; times are on its monotonic clock.

    Args:
        jitter: returns a random number from 0 to 1.

    """

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._conflicts = 0
        self._conflict_times: deque[float] = deque(maxlen=COMPETING_CONFLICTS_MIN)
        self._next_at = 0.0

    def ended(self, conflicts: int, now: float) -> None:
        """Note that a group has ended.

        Args:
            conflicts: how many transactions have lost so far against others.
            now: the time.

        """
        new = min(conflicts - self._conflicts, COMPETING_CONFLICTS_MIN)
        self._conflicts = conflicts
        self._conflict_times.extend([now] * new)
        pause = PAUSE_SECONDS_MIN + (PAUSE_SECONDS_MAX - PAUSE_SECONDS_MIN) * self._jitter()
        self._next_at = now + pause if self._is_competing(now) else now

    def pause_seconds(self, now: float) -> float:
        """Return how long the next group must wait."""
        return max(0.0, self._next_at - now)

    def _is_competing(self, now: float) -> bool:
        times = self._conflict_times
        return len(times) == COMPETING_CONFLICTS_MIN and now - times[0] < COMPETING_SECONDS
