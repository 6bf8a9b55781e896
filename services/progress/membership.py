"""Whether the node of the database is still a member of its cluster."""

from collections.abc import Awaitable, Callable

from batches.errors import NodeLeft, NodeNotWritable


class Membership:
    """Remembers what the last check of the database node has found.

    A member of Group Replication that has left its group answers reads for ever, in sessions that ask for
    reads in sync, too: only its state tells that they grow old.

    Args:
        check: checks the node.

    """

    def __init__(self, check: Callable[[], Awaitable[object]]) -> None:
        self._check = check
        self.has_left = False
        """Whether the node had left its cluster. While it does not answer, this stays as it was."""

    async def check(self) -> None:
        """Check the node, and remember whether it has left.

        Raises:
            DatabaseUnavailable: the node does not answer, or takes no writes.

        """
        try:
            await self._check()
        except NodeNotWritable as error:
            self.has_left = isinstance(error, NodeLeft)
            raise
        self.has_left = False
