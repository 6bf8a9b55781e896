"""A watched batch: what its viewers should see now, and how it is kept up to date."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from services.gateway.live.problems import Problem, away, gone
from services.gateway.live.snapshot import Snapshot
from services.gateway.live.topic import Topic


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


@dataclass(slots=True, eq=False)
class BatchTopic(Topic):
    """A watched batch."""

    view: View = View(None, None)

    @property
    def is_last(self) -> bool:
        """Whether no further view can follow."""
        return self.view.is_last

    @property
    def is_shown(self) -> bool:
        """Whether a state is known."""
        return self.view.state is not None

    @property
    def trouble(self) -> Problem | None:
        """Why the state may be out of date; None if it is current."""
        return self.view.problem

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

    def _show(self, view: View) -> bool:
        if view == self.view:
            return False
        self.view = view
        self.changed.set()
        return True


class Source(Protocol):
    """Where batches come from; raises Problems."""

    async def read(self, batch_id: str) -> Snapshot:
        """Return a batch as it is now."""

    def watch(self, batch_id: str, after_revision: int) -> AsyncGenerator[Snapshot | None, None]:
        """Yield the states after a revision until the batch ends; None if there is none, but it answers."""


async def follow_batch(source: Source, batch_id: str, topic: BatchTopic) -> None:
    """Show what one watch of a batch brings.

    Args:
        source: where the batch comes from.
        batch_id: the batch.
        topic: shows it.

    Raises:
        Problem: the watch was cut, or the batch is gone.

    """
    async with aclosing(source.watch(batch_id, topic.revision)) as moments:
        async for streamed in moments:
            if streamed is None and topic.view.state is None:
                continue  # the first state follows
            # A stall and a fading rate change no revision, so that a watch does not bring them.
            state = streamed or await source.read(batch_id)
            if topic.is_of_another_batch(state):
                raise gone(batch_id)
            topic.update(state, is_streamed=streamed is not None)
            if topic.is_last:
                return
            topic.tries = 0
    raise away()  # a watch that ends before its batch has been cut
