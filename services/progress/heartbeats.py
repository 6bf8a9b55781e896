"""Tells watches when to send a heartbeat. One timer wakes all of them.

A timer for each watch would be set and cancelled with every state that is sent, and would wake the event loop
for each heartbeat. Here a state costs a watch nothing but a note of the time.
"""

import asyncio
import math
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from services.progress.flag import Flag

TICK_SECONDS = 0.05
"""How late a heartbeat may be: a twentieth of the shortest interval, for 20 wake-ups a second in all."""
WAKES_PER_TICK_MAX = 100
"""Watches woken in one tick, some 9 ms of work. After a restart thousands of watches begin at once; without a
limit their heartbeats would delay all reports for as long as they take together. It is 2,000 a second, twice
what 20,000 watches of our clients need."""
SLOTS = 1_201
"""A minute of ticks; a watch with a longer interval is looked at each minute."""


@dataclass(slots=True, eq=False)
class Heartbeat:
    """When a watch has sent its last message, and when it has to send another one.

    The wheel wakes the watch while the context is open.
    """

    wheel: "Heartbeats"
    flag: Flag
    """Wakes the watch."""
    interval_seconds: float
    """Infinite if the watch has no heartbeats."""
    sent_at: float = field(default_factory=time.monotonic)
    slot: int = 0

    def __enter__(self) -> Self:
        """Begin to wake the watch."""
        if self.interval_seconds < math.inf:
            self.wheel.add(self)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _frames: TracebackType | None
    ) -> None:
        """Stop waking the watch."""
        if self.interval_seconds < math.inf:
            self.wheel.remove(self)

    def sent(self) -> None:
        """Note that a message was sent."""
        self.sent_at = time.monotonic()

    def seconds_left(self) -> float:
        """Return the seconds until the next heartbeat; negative if it is late."""
        return self.sent_at + self.interval_seconds - time.monotonic()


class Heartbeats:
    """A timer wheel: the heartbeats of each tick are in one slot."""

    def __init__(self) -> None:
        self._slots: list[set[Heartbeat]] = [set() for _ in range(SLOTS)]
        self._hand = 0
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        """Whether the timer runs."""
        return self._timer is not None

    def of_watch(self, flag: Flag, interval_seconds: float | None) -> Heartbeat:
        """Return the heartbeat of a watch: a context, which has to be told of each message that is sent.

        Args:
            flag: is set when a heartbeat is due.
            interval_seconds: the longest time without a message; None if the watch has no heartbeats.

        """
        return Heartbeat(self, flag, math.inf if interval_seconds is None else interval_seconds)

    def add(self, heartbeat: Heartbeat) -> None:
        """Begin to wake a watch."""
        self._put(heartbeat, heartbeat.interval_seconds)
        self._size += 1
        if self._timer is None:
            self._set_timer()

    def remove(self, heartbeat: Heartbeat) -> None:
        """Stop waking a watch."""
        self._slots[heartbeat.slot].discard(heartbeat)
        self._size -= 1
        if not self._size:
            self._stop_timer()

    def _put(self, heartbeat: Heartbeat, seconds: float) -> None:
        ticks = min(max(1, math.ceil(seconds / TICK_SECONDS)), SLOTS - 1)
        heartbeat.slot = (self._hand + ticks) % SLOTS
        self._slots[heartbeat.slot].add(heartbeat)

    def _set_timer(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        """Wake the watches of the next slot that have sent nothing; those beyond the limit wait."""
        self._set_timer()
        self._hand = (self._hand + 1) % SLOTS
        reached, self._slots[self._hand] = self._slots[self._hand], set()
        due = 0
        for heartbeat in reached:
            seconds = heartbeat.seconds_left()
            if seconds <= 0:
                seconds = due // WAKES_PER_TICK_MAX * TICK_SECONDS
                due += 1
            if seconds == 0:
                heartbeat.flag.set()
                seconds = heartbeat.interval_seconds
            self._put(heartbeat, seconds)
