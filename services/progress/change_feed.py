"""The change feed: reads from the store which watched batches have changed, and tells the hub.

A commit of this server nudges it; a commit of another replica or a repair is seen at the
next tick. Both are found by reading the store, never by being told what changed: so all
reach the watchers by the same way, and a watcher never sees what was not committed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from batches.batch import Batch
from batches.errors import DatabaseUnavailable
from services.progress.nudges import Nudges
from services.progress.watch_hub import WatchHub

TICK_SECONDS = 0.25
"""How soon the commit of another replica is seen: half of the half second the contract's users may expect."""
PAUSE_SECONDS = 0.05
"""The least time between two reads: 20 states a second move a bar smoothly, and a commit storm costs no
more than that."""
TICK_REVISIONS_PER_SECOND_MAX = 10_000
"""Revisions that ticks may read in a second, a few per cent of a core: with more than 2,500 watched batches
ticks get rarer. By number and not by time, since a busy server's reads are slow just when much changes."""

ReadChanged = Callable[[Mapping[str, int]], Awaitable[tuple[list[Batch], list[str]]]]
"""Returns the batches whose revision differs from the one given, and the ids that are gone."""


class ChangeFeed:
    """Reads for ever, on nudges and ticks."""

    def __init__(self, read_changed: ReadChanged, hub: WatchHub, nudges: Nudges) -> None:
        """Take where changes are read, who is told, and what says that there may be some."""
        self._read_changed = read_changed
        self._hub = hub
        self._nudges = nudges
        self._next_tick = time.monotonic()
        self._looked_at = self._next_tick

    @property
    def lag_seconds(self) -> float:
        """Since when the feed has not read all that is watched: so late may watchers be."""
        return time.monotonic() - self._looked_at

    async def run(self) -> None:
        """Read for ever."""
        while True:
            await self._nudges.wait(max(0.0, self._next_tick - time.monotonic()))
            now = time.monotonic()
            watched = self._hub.revisions()
            nudged = self._nudges.take()
            if now >= self._next_tick:
                self._next_tick = now + max(TICK_SECONDS, len(watched) / TICK_REVISIONS_PER_SECOND_MAX)
                if await self._look(watched):
                    self._looked_at = now
            else:
                await self._look({one: watched[one] for one in nudged if one in watched})
            await asyncio.sleep(PAUSE_SECONDS)

    async def _look(self, revisions: Mapping[str, int]) -> bool:
        """Tell the hub what has changed; return whether the store could be read."""
        if not revisions:
            return True
        read = self._hub.begin_read()
        try:
            changed, gone = await self._read_changed(revisions)
        except DatabaseUnavailable:
            self._hub.fail(revisions)  # the store has logged why; the next tick tries again
            return False
        self._hub.deliver(read, revisions, changed, gone)
        return True
