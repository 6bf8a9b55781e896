"""What each child says of its health, in memory that all of them share, so that one probe learns of all."""

import mmap

SILENT_SECONDS_MAX = 15.0
"""A child that says nothing for longer is taken for dead: it speaks every 2 s, and every 4 while its database
does not answer. A busy machine delays it by a few seconds."""

_ABSENT = 0.0
_CELL_BYTES = 16
"""Two doubles: when the child spoke, on the monotonic clock of the machine, and 1 if it was ready. A double
is written at once, so that no reader sees half of it."""


class Board:
    """One place for each child. Made by the parent, before it has children.

    Args:
        children: their number; they are numbered from 1.

    """

    def __init__(self, children: int) -> None:
        self._cells = memoryview(mmap.mmap(-1, children * _CELL_BYTES)).cast("d")

    def tell(self, number: int, *, ready: bool, now: float) -> None:
        """Say that a child lives, and whether it is ready."""
        place = 2 * (number - 1)
        self._cells[place + 1] = float(ready)
        self._cells[place] = now

    def clear(self, number: int) -> None:
        """Forget a child that has ended: the others answer for it."""
        self._cells[2 * (number - 1)] = _ABSENT

    def is_alive(self, now: float) -> bool:
        """Whether every running child has spoken lately."""
        return all(now - spoke_at <= SILENT_SECONDS_MAX for spoke_at, _ in self._running())

    def is_ready(self, now: float) -> bool:
        """Whether every running child has spoken lately, and was ready, and there is one."""
        running = self._running()
        return self.is_alive(now) and bool(running) and all(ready for _, ready in running)

    def _running(self) -> list[tuple[float, float]]:
        cells = self._cells.tolist()
        pairs = zip(cells[::2], cells[1::2], strict=True)
        return [(spoke_at, ready) for spoke_at, ready in pairs if spoke_at != _ABSENT]
