"""A watched batch: its current view, and the flags that wake its viewers."""

import asyncio
from dataclasses import dataclass, field

from services.dashboard.errors import BatchUnknown, DashboardError
from services.dashboard.states import History, Snapshot


@dataclass(frozen=True, slots=True)
class View:
    """What a viewer should see now."""

    state: Snapshot | None
    """The newest known state."""
    problem: DashboardError | None
    """Why the state may be out of date; None if it is current."""

    @property
    def is_last(self) -> bool:
        """Whether no further view can follow."""
        ended = self.state is not None and self.state.has_ended and self.problem is None
        return ended or isinstance(self.problem, BatchUnknown)


@dataclass(slots=True, eq=False)
class Topic:
    """A watched batch and the flags of its viewers."""

    view: View = field(default=View(None, None))
    history: History = field(default_factory=History)
    flags: set[asyncio.Event] = field(default_factory=set)
    following: asyncio.Task[None] | None = None
    removal: asyncio.TimerHandle | None = None
    """Removes a topic that has no viewers."""
    tries: int = 0
    """Tries that failed since the newest state."""
    is_defective: bool = False
    """Whether a defect was already logged."""

    @property
    def revision(self) -> int:
        """The revision of the newest state; 0 if none is known."""
        return self.view.state.revision if self.view.state else 0

    def update(self, state: Snapshot, *, is_streamed: bool) -> None:
        """Show a state of the server; one that was read and is older than the known state clears the problem.

        Args:
            state: the state.
            is_streamed: whether it comes from a stream, where it is older only if a fail-over of the database
                lost changes. A read may be late.

        Raises:
            BatchUnknown: the batch was replaced by another one of the same id.

        """
        known = self.view.state
        if known is not None and state.created_at != known.created_at:
            raise BatchUnknown
        if known is not None and state.revision < known.revision:
            if is_streamed:
                self.history = History()
            else:
                state = known
        if state is not known and (known is None or state.revision != known.revision):
            self.history.add(state)
        self._show(View(state, None))

    def fail(self, problem: DashboardError) -> None:
        """Show a problem; a repeated problem of the same type wakes nobody."""
        if type(problem) is not type(self.view.problem):
            self._show(View(self.view.state, problem))

    def _show(self, view: View) -> None:
        self.view = view
        for flag in self.flags:
            flag.set()
