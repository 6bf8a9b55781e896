"""The places of connections: how many there are, and who gives way when all are taken."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

ANSWERS_SHARE = 7 / 8
"""The share of the places that answers may hold. The others are for clients that have not sent their request
yet, so that a health check always finds one."""


class Connection(Protocol):
    """An open connection."""

    def cut(self) -> None:
        """Close it at once."""


class NoPlace(Exception):
    """So many answers are being sent that there is no place for another one."""


class Places:
    """Counts connections: those that are being answered, and those that wait for their client.

    If all places are taken, a new connection replaces the one that has waited longest for its client. Without
    this, clients that send half a request could keep everybody else out until their time is over.

    Args:
        connections_max: connections at a time.

    """

    def __init__(self, connections_max: int) -> None:
        self._connections_max = connections_max
        self._answers_max = max(1, int(connections_max * ANSWERS_SHARE))
        self._waiting: dict[Connection, None] = {}  # the one that has waited longest is the first
        self._answered: set[Connection] = set()

    def enter(self, connection: Connection) -> None:
        """Give a new connection a place."""
        if len(self._waiting) + len(self._answered) >= self._connections_max:
            oldest = next(iter(self._waiting), connection)
            self._waiting.pop(oldest, None)
            oldest.cut()
        self._waiting[connection] = None

    def leave(self, connection: Connection) -> None:
        """Free the place of a connection that is closed."""
        self._waiting.pop(connection, None)
        self._answered.discard(connection)

    @contextmanager
    def answering(self, connection: Connection) -> Iterator[None]:
        """Keep the place of a connection while it is answered.

        Raises:
            NoPlace: too many others are being answered, or the connection was cut.

        """
        if connection in self._answered:  # the code of its previous answer is about to return
            yield
            return
        if connection not in self._waiting or len(self._answered) >= self._answers_max:
            raise NoPlace
        del self._waiting[connection]
        self._answered.add(connection)
        try:
            yield
        finally:
            if connection in self._answered:  # it is not closed
                self._answered.discard(connection)
                self._waiting[connection] = None
