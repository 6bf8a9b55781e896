"""The change feed: reads from the store which watched batches have changed, and delivers them to the hub.

A commit of this server is read at once; a commit of another replica, or a repair, is read at the next
tick. Either way the feed learns of a change only by reading the store: all changes reach the watchers the
same way, and a watcher never sees anything that was not committed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from batches.batch import Batch, Version
from batches.errors import DatabaseUnavailable, NodeLeft
from services.progress.discovery import Discovery
from services.progress.pending_ids import PendingIds
from services.progress.watch_hub import WatchHub

TICK_SECONDS = 0.25
"""How soon the commit of another replica is seen: half of the 0.5 s that users of the contract may expect."""
PAUSE_SECONDS = 0.05
"""The shortest time between two reads: 20 states per second move a bar smoothly, and limit what a storm of
commits costs."""
TICK_REVISIONS_PER_SECOND_MAX = 10_000
"""Revisions that ticks may read per second, a few per cent of a core: beyond 2,500 watched batches ticks
become rarer. The limit is a number and not a time, because a busy server's reads are slow exactly when much
changes."""
UNREADABLE_SECONDS_MAX = 10.0
"""How long watches survive a store that cannot be read, or does not answer a read: longer than a restart of a
database or a planned switch-over. After that their clients ask another server, whose database may answer."""

ReadChanged = Callable[[Mapping[str, Version]], Awaitable[tuple[list[Batch], list[str]]]]
"""Gets versions by batch id; returns the batches with another version, and the ids that no longer exist."""


class ChangeFeed:
    """Reads for ever, whenever ids are pending and at every tick.

    Args:
        read_changed: reads the store.
        discovery: finds new batches.
        hub: gets the changes.
        pending: the ids that are read before the next tick.
        has_left: returns whether the database node has left its cluster: it answers reads with a state that
            grows old, which counts as no answer.

    """

    def __init__(
        self,
        read_changed: ReadChanged,
        discovery: Discovery,
        hub: WatchHub,
        pending: PendingIds,
        *,
        has_left: Callable[[], bool],
    ) -> None:
        self._read_changed = read_changed
        self._discovery = discovery
        self._hub = hub
        self._pending = pending
        self._has_left = has_left
        self._next_tick = time.monotonic()
        self._complete_at = self._next_tick

    @property
    def lag_seconds(self) -> float:
        """Seconds since all watched batches were read: how late watchers may learn of a change."""
        return time.monotonic() - self._complete_at

    async def run(self) -> None:
        """Read for ever."""
        while True:
            await self._pending.wait(max(0.0, self._next_tick - time.monotonic()))
            now = time.monotonic()
            watched = self._hub.versions()
            pending = self._pending.pop_all()
            if now >= self._next_tick:
                self._next_tick = now + max(TICK_SECONDS, len(watched) / TICK_REVISIONS_PER_SECOND_MAX)
                if await self._poll(watched, is_tick=True):
                    self._complete_at = now
            else:
                await self._poll({one: watched[one] for one in pending if one in watched})
            await asyncio.sleep(PAUSE_SECONDS)

    async def _poll(self, versions: Mapping[str, Version], *, is_tick: bool = False) -> bool:
        """Deliver the changes since these versions, at a tick with new batches; return if they were read."""
        looks_for_new = is_tick and self._hub.has_selections
        if is_tick and not looks_for_new:
            self._discovery.forget()
        if not versions and not looks_for_new:
            return True
        read = self._hub.begin_read()
        try:
            if self._has_left():
                raise NodeLeft
            async with asyncio.timeout(UNREADABLE_SECONDS_MAX):
                created = await self._discovery.read() if looks_for_new else None
                changed, gone = await self._read_changed(versions) if versions else ([], [])
        except (DatabaseUnavailable, TimeoutError):
            # The store has logged the reason; the next tick tries again.
            self._discovery.failed()
            self._hub.fail(versions, for_long=self.lag_seconds >= UNREADABLE_SECONDS_MAX)
            return False
        self._hub.deliver(read, versions, changed, gone)
        if created is not None:
            self._hub.complete(read, created)
            self._discovery.delivered()
        return True
