"""A watched batch: what its viewers should see now, and the flags that wake them."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.gateway.live.problems import Problem
from services.gateway.live.snapshot import Snapshot

WOKEN_AT_ONCE = 100
"""Viewers that are woken before everything else in this process gets its turn: a few milliseconds."""


@dataclass(frozen=True, slots=True)
class View:
    """What a viewer should see now."""

    state: Snapshot | None
    """The newest known state."""
    problem: Problem | None
    """Why the state may be out of date; None if it is current."""

    @property
    def is_last(self) -> bool:
        """Whether no further view can follow."""
        if self.problem is not None:
            return self.problem.is_final
        return self.state is not None and self.state.has_ended

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see yet."""
        return self.state is None and self.problem is None


@dataclass(slots=True, eq=False)
class Topic:
    """A watched batch and the flags of its viewers."""

    view: View = field(default=View(None, None))
    flags: set[asyncio.Event] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Is set when there is a view that viewers were not woken for."""
    following: asyncio.Task[None] | None = None
    """Keeps the view up to date, and wakes the viewers."""
    tries: int = 0
    """Tries that failed since the newest state."""

    @property
    def revision(self) -> int:
        """The revision of the newest state; 0 if none is known."""
        return self.view.state.revision if self.view.state else 0

    def update(self, state: Snapshot, *, is_streamed: bool) -> None:
        """Take over a state of the server, and forget the problem.

        Args:
            state: the state.
            is_streamed: whether it comes from a watch, where it is older only if a fail-over of the database
                lost changes. A read may be late, and shows only that the server is there.

        """
        known = self.view.state
        if known is not None and state.revision < known.revision and not is_streamed:
            state = known
        self._show(View(state, None))

    def is_of_another_batch(self, state: Snapshot) -> bool:
        """Return whether the batch was replaced by another one of the same id."""
        known = self.view.state
        return known is not None and state.created_at_ns != known.created_at_ns

    def fail(self, problem: Problem) -> bool:
        """Take over a problem; return whether viewers see something new."""
        if problem.is_like(self.view.problem):
            return False
        return self._show(View(self.view.state, problem))

    def wake(self) -> Iterator[None]:
        """Wake all viewers, in groups; whoever iterates lets others take their turn in between."""
        self.changed.clear()
        flags = tuple(self.flags)
        for start in range(0, len(flags), WOKEN_AT_ONCE):
            for flag in flags[start : start + WOKEN_AT_ONCE]:
                flag.set()
            yield

    def _show(self, view: View) -> bool:
        if view == self.view:
            return False
        self.view = view
        self.changed.set()
        return True
