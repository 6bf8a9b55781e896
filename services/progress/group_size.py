"""How large a group may be: as large as the database takes at once. Pure.

Where several nodes of a cluster write, a transaction fails if another one was first, and the larger it is the
more often: a large group would lose against small ones for ever. A node may also limit the size itself.

While small calls are expected, a group with large ones has another limit: a small call waits for the group
ahead of it, and may wait three times as long as its own group takes, whatever the results and the database.
"""

from services.progress.turns import GROUP_WORK_MAX, PART_WORK_MAX, TURN_WORK_MAX

GROWTH = 2.0
"""By how much a group that was recorded lets the next one grow. Where all nodes write one batch, half of the
groups conflict whatever their size; a slower growth would leave them at single results."""
LARGE_TO_SMALL_MAX = 3.0
"""How long a group with large calls may take, compared with one of small calls only."""
SMALL_WEIGHT = 0.1
"""The weight of the newest group in the average duration of those with small calls only."""
LARGE_SHRINKS, LARGE_GROWS = 0.8, 1.1
"""The limit follows within some groups, and settles where one of three groups is too long."""


class GroupSize:
    """The work that a group may have; kept from one group to the next."""

    def __init__(self) -> None:
        self._work_max = float(GROUP_WORK_MAX)
        self._large_work_max = float(TURN_WORK_MAX)
        self._small_seconds: float | None = None
        """The average duration of a group of small calls only."""

    @property
    def work_max(self) -> int:
        """The work that the next group may have."""
        return int(self._work_max)

    @property
    def large_work_max(self) -> int:
        """The work that large calls may have in the next group while small ones are expected."""
        return int(self._large_work_max)

    def recorded(self) -> None:
        """Grow after a group that was recorded."""
        self._work_max = min(GROUP_WORK_MAX, self._work_max * GROWTH)

    def measured(self, seconds: float, large_work: int) -> None:
        """Take note of how long it took to record a group.

        Args:
            seconds: its duration.
            large_work: the work of the large calls in it; more than `large_work_max` if no small ones were
                expected.

        """
        if not large_work:
            average = seconds if self._small_seconds is None else self._small_seconds
            self._small_seconds = average + SMALL_WEIGHT * (seconds - average)
        elif self._small_seconds is not None and large_work <= self._large_work_max:
            is_long = seconds > LARGE_TO_SMALL_MAX * self._small_seconds
            changed = self._large_work_max * (LARGE_SHRINKS if is_long else LARGE_GROWS)
            self._large_work_max = min(max(changed, PART_WORK_MAX), TURN_WORK_MAX)

    def refused(self, work: int) -> None:
        """Shrink after a group of this work that the database did not take."""
        self._work_max = max(1.0, work / 2)
