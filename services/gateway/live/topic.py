"""What viewers watch together, and the flags that wake them."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.gateway.live.problems import Problem

WOKEN_AT_ONCE = 100
"""Viewers that are woken before everything else in this process gets its turn: a few milliseconds."""


@dataclass(slots=True, eq=False)
class Topic(ABC):
    """Something that is watched, and the flags of its viewers."""

    flags: set[asyncio.Event] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Is set when there is something that viewers were not woken for."""
    following: asyncio.Task[None] | None = None
    """Keeps the topic up to date, and wakes the viewers."""
    tries: int = 0
    """Tries that failed since the newest state."""

    @property
    @abstractmethod
    def is_last(self) -> bool:
        """Whether nothing further can follow."""

    @property
    @abstractmethod
    def is_shown(self) -> bool:
        """Whether there is something to see."""

    @property
    @abstractmethod
    def trouble(self) -> Problem | None:
        """Why what is seen may be out of date; None if it is current."""

    @abstractmethod
    def fail(self, problem: Problem) -> bool:
        """Take over a problem; return whether viewers see something new."""

    def wake(self) -> Iterator[None]:
        """Wake all viewers, in groups; whoever iterates lets others take their turn in between."""
        self.changed.clear()
        flags = tuple(self.flags)
        for start in range(0, len(flags), WOKEN_AT_ONCE):
            for flag in flags[start : start + WOKEN_AT_ONCE]:
                flag.set()
            yield
