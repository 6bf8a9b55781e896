"""Many watched batches: what has changed since a viewer was sent something, and how it is kept up to date.

Each change has a number. Of a batch under way only the newest change is kept, and of those that have ended
the last ENDS_MAX. A viewer keeps the number of the last change that it was sent, so that a slow one skips
states, costs no memory, and is cut only if more ends than that have passed it by.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import Protocol

from google.protobuf.json_format import MessageToJson

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.live import sse
from services.gateway.live.problems import Problem, away
from services.gateway.live.selection import Selection
from services.gateway.live.topic import Topic

ENDS_MAX = 1_000
"""Ends that are kept for viewers that are slow or come back: about 2 MB."""
POSITIONS_MAX = 1_000
"""Positions that are known to this process: those of a quarter of an hour, if there is one each second."""
STALLS_SECONDS = 10.0
"""The interval of the reads of stalled batches, and how long a batch is quiet before there are any. A stall
changes no revision, so that a watch does not bring it."""


@dataclass(frozen=True)
class Change:
    """A newer state of a batch, its end, or its deletion."""

    number: int
    batch: pb.Batch
    """Of a deleted one, only its id."""
    at: float = field(default_factory=time.monotonic)

    @cached_property
    def event(self) -> bytes:
        """What viewers get, encoded once for all of them, and not at all if a newer state comes first."""
        return to_event(self.batch)

    @property
    def is_end(self) -> bool:
        """Whether the batch is not followed any further."""
        return self.batch.state != pb.BATCH_STATE_PROCESSING

    def is_same_state(self, batch: pb.Batch) -> bool:
        """Return whether a state of the same batch shows nothing new."""
        return _version(self.batch) == _version(batch) and self.batch.stall_reason == batch.stall_reason


def to_event(batch: pb.Batch) -> bytes:
    """Return the event of a state of a batch; one that was deleted has only its id."""
    if not batch.revision:
        return sse.event("deleted", MessageToJson(pb.Batch(batch_id=batch.batch_id), indent=None))
    return sse.event("batch", MessageToJson(batch, indent=None, always_print_fields_with_no_presence=True))


@dataclass(slots=True, eq=False)
class SelectionTopic(Topic):
    """Many watched batches."""

    problem: Problem | None = None
    """Why the states may be out of date; None if they are current."""
    is_complete: bool = False
    position: str = ""
    """The token with which the next watch goes on."""
    number: int = 0
    """The number of the newest change."""
    _running: dict[str, Change] = field(default_factory=dict)
    _ended: dict[str, Change] = field(default_factory=dict)
    _dropped: int = 0
    _positions: dict[str, int] = field(default_factory=dict)
    _begun: set[str] | None = None

    @property
    def is_last(self) -> bool:
        """Whether no further change can follow."""
        return self.problem is not None and self.problem.is_final

    @property
    def is_shown(self) -> bool:
        """Whether every batch under way is known."""
        return self.is_complete

    @property
    def trouble(self) -> Problem | None:
        """Why the states may be out of date; None if they are current."""
        return self.problem

    def fail(self, problem: Problem) -> bool:
        """Take over a problem; return whether viewers see something new."""
        if problem.is_like(self.problem):
            return False
        self.problem = problem
        self.changed.set()
        return True

    def running(self) -> Sequence[Change]:
        """Return the newest states of all batches under way, the newest batch first."""
        return sorted(
            self._running.values(), key=lambda one: one.batch.create_time.ToNanoseconds(), reverse=True
        )

    def has_all_since(self, number: int) -> bool:
        """Return whether no end was dropped that follows a change."""
        return number >= self._dropped

    def since(self, number: int) -> Sequence[Change]:
        """Return the changes that follow one, in their order."""
        newer = [*_newer(self._running, number), *_newer(self._ended, number)]
        return sorted(newer, key=lambda one: one.number)

    def number_at(self, position: str) -> int | None:
        """Return the change from which a viewer with a position goes on; None if it is unknown."""
        number = self._positions.get(position)
        return number if number is not None and self.has_all_since(number) else None

    def begin(self) -> None:
        """Begin to take the responses of another watch."""
        self._begun = set()

    def take(self, response: pb.WatchBatchesResponse) -> None:
        """Take over a response of WatchBatches."""
        number = self.number
        if response.HasField("batch"):
            self._take(response.batch)
        elif response.resume_token and self._begun is not None:
            self._complete(self._begun)
        if response.resume_token:
            # Its batch may belong to the ends that follow the position, and is then sent twice.
            self._move(response.resume_token, number)

    def take_stalled(self, batches: Iterable[pb.Batch]) -> None:
        """Take over the reasons why batches have stalled. A read may be late, and brings nothing else."""
        for batch in batches:
            known = self._running.get(batch.batch_id)
            if known and _version(known.batch) == _version(batch) and not known.is_same_state(batch):
                self._add(batch)

    def has_quiet(self) -> bool:
        """Return whether a batch under way has not changed for STALLS_SECONDS."""
        oldest = next(iter(self._running.values()), None)
        return oldest is not None and time.monotonic() - oldest.at >= STALLS_SECONDS

    def _take(self, batch: pb.Batch) -> None:
        known = self._place_of(batch).get(batch.batch_id)
        is_first = self._begun is not None and batch.batch_id not in self._begun
        if self._begun is not None:
            self._begun.add(batch.batch_id)
        if known is not None and known.batch.create_time == batch.create_time:
            # The first state of a watch may be older: a fail-over of the database lost changes.
            is_older = batch.revision < known.batch.revision and not is_first
            if is_older or known.is_same_state(batch):
                return
        self._add(batch)

    def _complete(self, begun: set[str]) -> None:
        """Take over that the first states of a watch were all sent: other batches are gone."""
        for batch_id in self._running.keys() - begun:
            self._add(pb.Batch(batch_id=batch_id))
        self._begun = None
        self.is_complete = True
        self.problem = None
        self.tries = 0
        self.changed.set()

    def _add(self, batch: pb.Batch) -> None:
        self.number += 1
        running = self._running.get(batch.batch_id)
        if running is None or not _is_replaced(batch, running.batch):
            self._running.pop(batch.batch_id, None)
        place = self._place_of(batch)
        place.pop(batch.batch_id, None)
        place[batch.batch_id] = Change(self.number, batch)
        if len(self._ended) > ENDS_MAX:
            self._dropped = self._ended.pop(next(iter(self._ended))).number
        self.changed.set()

    def _place_of(self, batch: pb.Batch) -> dict[str, Change]:
        return self._running if batch.state == pb.BATCH_STATE_PROCESSING else self._ended

    def _move(self, position: str, number: int) -> None:
        self.position = position
        self._positions.setdefault(position, number)
        if len(self._positions) > POSITIONS_MAX:
            del self._positions[next(iter(self._positions))]


class Source(Protocol):
    """Where many batches come from; raises Problems."""

    async def stalled(self, selection: Selection) -> Sequence[pb.Batch]:
        """Return the batches that have stalled."""

    def watch(self, selection: Selection, resume_token: str) -> AsyncGenerator[pb.WatchBatchesResponse, None]:
        """Yield the responses of WatchBatches."""


async def follow_selection(source: Source, selection: Selection, topic: SelectionTopic) -> None:
    """Show what one watch of many batches brings.

    Args:
        source: where the batches come from.
        selection: which they are.
        topic: shows them.

    Raises:
        Problem: the watch was cut, or cannot be opened.

    """
    topic.begin()
    reading_stalls = asyncio.create_task(_read_stalls(source, selection, topic))
    try:
        async with aclosing(source.watch(selection, topic.position)) as responses:
            async for response in responses:
                topic.take(response)
    finally:
        reading_stalls.cancel()
    raise away()


async def _read_stalls(source: Source, selection: Selection, topic: SelectionTopic) -> None:
    while True:
        await asyncio.sleep(STALLS_SECONDS)
        if not topic.has_quiet():
            continue
        try:
            topic.take_stalled(await source.stalled(selection))
        except Problem:
            continue  # the watch tells whether the server is away


def _newer(changes: dict[str, Change], number: int) -> Iterator[Change]:
    return takewhile(lambda one: one.number > number, reversed(changes.values()))


def _is_replaced(batch: pb.Batch, by: pb.Batch) -> bool:
    """Return whether another batch of the same id was created later."""
    created_at_ns = batch.create_time.ToNanoseconds()
    return bool(created_at_ns) and created_at_ns < by.create_time.ToNanoseconds()


def _version(batch: pb.Batch) -> tuple[int, int, int]:
    created_at_ns = batch.create_time.ToNanoseconds()
    return created_at_ns, batch.revision, batch.last_result_time.ToNanoseconds()
