"""How large a group may be: as large as the database takes at once. Pure.

Where several nodes of a cluster write, a transaction fails if another one was first, and the larger it is the
more often: a large group would lose against small ones for ever. A node may also limit the size itself.
"""

from services.progress.turns import GROUP_WORK_MAX

GROWTH = 2.0
"""By how much a group that was recorded lets the next one grow. Where all nodes write one batch, half of the
groups conflict whatever their size; a slower growth would leave them at single results."""


class GroupSize:
    """The work that a group may have; kept from one group to the next."""

    def __init__(self) -> None:
        self._work_max = float(GROUP_WORK_MAX)

    @property
    def work_max(self) -> int:
        """The work that the next group may have."""
        return int(self._work_max)

    def recorded(self) -> None:
        """Grow after a group that was recorded."""
        self._work_max = min(GROUP_WORK_MAX, self._work_max * GROWTH)

    def refused(self, work: int) -> None:
        """Shrink after a group of this work that the database did not take."""
        self._work_max = max(1.0, work / 2)
