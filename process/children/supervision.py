"""Decides which children a parent starts, when, and with which code it ends. Pure: no clock, no processes.

All times are in seconds, on one clock.
"""

from dataclasses import dataclass

from process.configuration import EXIT_BAD_CONFIGURATION

RESTART_SECONDS_FIRST = 0.5
"""A child that was killed once is back about as soon as it can be, since its start takes a second. A child
that dies at once uses less than a core."""
RESTART_SECONDS_MAX = 30.0
"""The delay doubles up to this: a child whose database is away for an hour tries twice a minute."""
STEADY_SECONDS = 60.0
"""A child that served this long did not die of its start, so the next delay is the first one again."""
DEATHS_IN_A_ROW_MAX = 10
"""Then all end, so that systemd, Kubernetes or a person sees what a single process would show. With the
delays that is two minutes after the first death: long enough for a fail-over of the database."""


@dataclass(slots=True)
class _Child:
    starts_at: float | None = None
    """When it is started; None: it runs, or nobody has decided yet."""
    serves_since: float | None = None
    is_running: bool = False
    deaths: int = 0
    """In a row, each without STEADY_SECONDS of service."""


class Supervision:
    """What is known of the children, and what follows from it.

    The first child is started alone: it upgrades an embedded database and finds what is wrong with the
    settings, so that this is said once. The others follow when it serves.

    Args:
        children: their number; they are numbered from 1.

    """

    def __init__(self, children: int) -> None:
        self._children = {number: _Child() for number in range(1, children + 1)}
        self._children[1].starts_at = float("-inf")
        self.have_others_started = False
        """Whether the first child has served; until then, its end is that of the program."""
        self._has_announced = False
        self._code: int | None = None

    @property
    def is_stopping(self) -> bool:
        """Whether no child is started any more."""
        return self._code is not None

    @property
    def is_over(self) -> bool:
        """Whether the parent may end."""
        return self.is_stopping and not any(child.is_running for child in self._children.values())

    @property
    def code(self) -> int:
        """The exit code of the parent: the first one that is not 0."""
        return self._code or 0

    @property
    def next_start(self) -> float | None:
        """When a child is due; None if none is."""
        if self.is_stopping:
            return None
        waiting = (child.starts_at for child in self._children.values() if child.starts_at is not None)
        return min(waiting, default=None)

    def due(self, now: float) -> list[int]:
        """Return the children that must be started now."""
        if self.is_stopping:
            return []
        return [
            number
            for number, child in self._children.items()
            if child.starts_at is not None and child.starts_at <= now
        ]

    def started(self, number: int) -> None:
        """Note that a child was started."""
        child = self._children[number]
        child.is_running, child.starts_at = True, None

    def serves(self, number: int, now: float) -> bool:
        """Note that a child serves.

        Returns:
            Whether all of them serve for the first time.

        """
        self._children[number].serves_since = now
        if not self.have_others_started:
            self.have_others_started = True
            for other in self._children.values():
                if not other.is_running:
                    other.starts_at = now
        if self._has_announced or any(child.serves_since is None for child in self._children.values()):
            return False
        self._has_announced = True
        return True

    def ended(self, number: int, code: int, now: float) -> float | None:
        """Note that a child has ended.

        Args:
            number: the child.
            code: its exit code; 128 + n after signal n.
            now: the time.

        Returns:
            The delay until it is started again; None: it is not, and all end.

        """
        child = self._children[number]
        served_seconds = 0.0 if child.serves_since is None else now - child.serves_since
        child.is_running, child.serves_since = False, None
        if self.is_stopping or code == EXIT_BAD_CONFIGURATION or not self.have_others_started:
            self.stop(code)
            return None
        child.deaths = 1 if served_seconds >= STEADY_SECONDS else child.deaths + 1
        if child.deaths >= DEATHS_IN_A_ROW_MAX:
            self.stop(code)
            return None
        delay = min(RESTART_SECONDS_FIRST * 2.0 ** (child.deaths - 1), RESTART_SECONDS_MAX)
        child.starts_at = now + delay
        return delay

    def stop(self, code: int = 0) -> None:
        """Start no child any more; keep the first code that is not 0."""
        self._code = self._code or code
