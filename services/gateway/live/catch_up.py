"""What has ended while a viewer was away from all that this gateway remembers."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.live.selection import Selection
from services.gateway.live.selection_topic import SelectionTopic, to_event

SECONDS_MAX = 10.0
"""How long a viewer waits for it: the ends of a day take a second."""
FRESH_SECONDS = 5.0
"""How long an answer is kept for further viewers: after a restart all of them come within some seconds, and
most with the same position. Then it is dropped, since each may have 2 MB."""
KEPT_MAX = 100
"""Answers kept or in progress; the oldest gives way."""


class Source(Protocol):
    """Where the ends that a viewer has missed are asked for."""

    async def ended_since(self, selection: Selection, resume_token: str) -> Sequence[pb.Batch] | None:
        """Return the batches that have ended since a position; None: it cannot be said."""


@dataclass(frozen=True, slots=True, eq=False)
class _CatchUp:
    number: int
    """The change of the topic from which a viewer goes on."""
    events: "asyncio.Task[Sequence[bytes] | None]"


class CatchUps:
    """Finds what has ended, once for viewers with the same position.

    Args:
        source: where it is asked for.

    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept: dict[tuple[Selection, str], _CatchUp] = {}

    async def find(
        self, selection: Selection, position: str, topic: SelectionTopic
    ) -> tuple[int, Sequence[bytes] | None]:
        """Return what a viewer has missed.

        Args:
            selection: the batches that it may see.
            position: the last position that it knows.
            topic: shows the batches.

        Returns:
            The number of the change from which the viewer goes on, and the events of the ends before; None:
            they are too many, or not known.

        """
        kept = self._kept.get((selection, position))
        if kept is None or not topic.has_all_since(kept.number):
            kept = self._begin(selection, position, topic.number)
        events = None
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS_MAX):
                # Shielded: a viewer that leaves must not cancel the question of others.
                events = await asyncio.shield(kept.events)
        return kept.number, events

    def _begin(self, selection: Selection, position: str, number: int) -> _CatchUp:
        # Begun after the change was known, so that every later end is a later change, too.
        task = asyncio.create_task(self._events(selection, position))
        key = selection, position
        self._kept.pop(key, None)
        if len(self._kept) >= KEPT_MAX:
            self._kept.pop(next(iter(self._kept)))
        catch_up = self._kept[key] = _CatchUp(number, task)
        asyncio.get_running_loop().call_later(FRESH_SECONDS, self._drop, key, catch_up)
        return catch_up

    def _drop(self, key: tuple[Selection, str], catch_up: _CatchUp) -> None:
        if self._kept.get(key) is catch_up:  # otherwise it was dropped or replaced before
            del self._kept[key]

    async def _events(self, selection: Selection, position: str) -> Sequence[bytes] | None:
        ended = await self._source.ended_since(selection, position)
        return None if ended is None else [to_event(one) for one in ended]
