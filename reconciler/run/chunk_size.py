"""How many rows a purge deletes at once, and how long it waits then: as the database can take it. Pure."""

from batches.store.deletion import CHUNK_ROWS

CHUNK_SECONDS = 0.1
"""The time that a chunk should take. On a cluster every other node applies it, too, and calls there wait
until it has."""
CHUNK_ROWS_MIN = 500
"""Fewer take nearly as long where the machine is busy: a transaction has a cost of its own."""
PAUSE_SECONDS_MAX = 1.0
"""A chunk that took longer waited for a lock or for another node."""


class ChunkSize:
    """The rows of the next chunk."""

    def __init__(self) -> None:
        self.rows_max = CHUNK_ROWS
        """How many rows the next chunk may have."""

    def pause_after(self, seconds: float) -> float:
        """Adapt the size to a chunk, and return how long to wait after it: as long as it took.

        So reports, and the other nodes of a cluster, have at least half of the time.

        Args:
            seconds: How long the chunk took.

        Returns:
            The pause in seconds.

        """
        fitting = self.rows_max * CHUNK_SECONDS / max(seconds, CHUNK_SECONDS / 2)
        self.rows_max = int(min(CHUNK_ROWS, max(CHUNK_ROWS_MIN, fitting)))
        return min(seconds, PAUSE_SECONDS_MAX)
