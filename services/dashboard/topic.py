"""A watched batch: what its viewers are to see, and how they are woken to see it."""

import asyncio
from dataclasses import dataclass, field

from services.dashboard.errors import BatchUnknown, DashboardError
from services.dashboard.states import BatchState, History


@dataclass(frozen=True, slots=True)
class View:
    """What a viewer is to see now."""

    state: BatchState | None
    """The newest that is known."""
    problem: DashboardError | None
    """Why it may be out of date; None if it is not."""

    @property
    def is_last(self) -> bool:
        """Whether nothing can follow."""
        ended = self.state is not None and self.state.has_ended and self.problem is None
        return ended or isinstance(self.problem, BatchUnknown)


@dataclass(slots=True, eq=False)
class Topic:
    """A watched batch and the flags of its viewers."""

    view: View = field(default=View(None, None))
    history: History = field(default_factory=History)
    flags: set[asyncio.Event] = field(default_factory=set)
    following: asyncio.Task[None] | None = None
    end: asyncio.TimerHandle | None = None
    """Of a topic without viewers."""
    tries: int = 0
    """How many have failed since the newest state."""
    is_defective: bool = False
    """Whether following it has met a defect; that is told in the log once."""

    @property
    def revision(self) -> int:
        """Of the newest state; 0 if none is known."""
        return self.view.state.revision if self.view.state else 0

    def take(self, state: BatchState) -> None:
        """Take what the server says now; an answer may be older than what the stream brought meanwhile."""
        known = self.view.state
        if known is None or state.revision > known.revision:
            self.history.add(state)
        elif state.revision < known.revision:
            state = known
        self._show(View(state, None))

    def fail(self, problem: DashboardError) -> None:
        """Say why nothing newer comes; each try that fails alike says nothing new."""
        if type(problem) is not type(self.view.problem):
            self._show(View(self.view.state, problem))

    def _show(self, view: View) -> None:
        self.view = view
        for flag in self.flags:
            flag.set()
