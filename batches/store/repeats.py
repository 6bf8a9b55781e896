"""Decides whether a group of results is recorded without reading what is recorded of its jobs. Pure.

Nearly every report is the first one of its job, and the primary key of the results shows if it is not. But
then the group is written twice, so the attempts are read first while reports are repeated.
"""

GROUPS_MIN = 16
"""Groups whose attempts are read after one that was written in vain: a server to which a small part of the
reports is sent twice writes at most a seventeenth of its groups in vain."""
GROUPS_MAX = 1_024
"""While all reports are sent twice, one of so many groups is written in vain: a thousandth."""


class Repeats:
    """Follows the groups of one server."""

    def __init__(self) -> None:
        self._groups = GROUPS_MIN
        self._left = 0

    def are_expected(self) -> bool:
        """Return whether to read the recorded attempts of the next group."""
        if self._left == 0:
            return False
        self._left -= 1
        return True

    def note(self, *, found: bool) -> None:
        """Add a group whose attempts were not read.

        Args:
            found: Whether a job had a result already.

        """
        if found:
            self._left = self._groups
            self._groups = min(GROUPS_MAX, 2 * self._groups)
        else:
            self._groups = GROUPS_MIN
