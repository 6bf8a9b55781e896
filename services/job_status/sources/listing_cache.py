"""Caches the job ids of batches that are being listed, so that they are read once for all pages.

Redis holds the ids of a batch in one value, which cannot be read in sorted ranges. The first page reads
them all; the following pages find them here. What became of each job is not cached: every page reads it.
"""

import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

IDLE_SECONDS_MAX = 60.0
"""The reconciler requests the next page at once, and gives up on a call after ten seconds."""
CACHED_IDS_MAX = 500_000
"""The total of all cached batches: 50 MB at 36 characters an id. The ids of a larger batch are read again for
each page."""

Clock = Callable[[], float]
"""Returns monotonic seconds."""


@dataclass(slots=True)
class _CachedIds:
    ids: Sequence[str]
    used_at: float


class ListingCache:
    """A least recently used cache of the sorted job ids of batches.

    Args:
        cached_ids_max: how many ids to keep in total.
        clock: returns monotonic seconds.

    """

    def __init__(self, *, cached_ids_max: int = CACHED_IDS_MAX, clock: Clock = time.monotonic) -> None:
        self._cached_ids_max = cached_ids_max
        self._clock = clock
        self._batches: OrderedDict[str, _CachedIds] = OrderedDict()
        self._cached_ids = 0

    async def page(
        self, batch_id: str, after: str | None, size: int, read: Callable[[str], Awaitable[Sequence[str]]]
    ) -> tuple[Sequence[str], str | None]:
        """Return a page of a batch's job ids and the key of the next page, None on the last one.

        The first page always reads the ids, so that no listing starts from stale ones.

        Args:
            batch_id: the batch.
            after: return the ids after this one; None starts with the first.
            size: the maximum number of ids to return.
            read: reads all ids of a batch, sorted.

        """
        ids = None if after is None else self._get(batch_id)
        if ids is None:
            ids = await read(batch_id)
            self._put(batch_id, ids)
        start = 0 if after is None else bisect_right(ids, after)
        page = ids[start : start + size]
        return page, page[-1] if start + size < len(ids) else None

    def _get(self, batch_id: str) -> Sequence[str] | None:
        self._evict_idle()
        cached = self._batches.get(batch_id)
        if cached is None:
            return None
        cached.used_at = self._clock()
        self._batches.move_to_end(batch_id)
        return cached.ids

    def _put(self, batch_id: str, ids: Sequence[str]) -> None:
        self._evict(batch_id)
        self._evict_idle()
        if len(ids) > self._cached_ids_max:
            return
        while self._cached_ids + len(ids) > self._cached_ids_max:
            self._evict(next(iter(self._batches)))
        self._batches[batch_id] = _CachedIds(ids, self._clock())
        self._cached_ids += len(ids)

    def _evict_idle(self) -> None:
        oldest = self._clock() - IDLE_SECONDS_MAX
        for batch_id in [one for one, cached in self._batches.items() if cached.used_at < oldest]:
            self._evict(batch_id)

    def _evict(self, batch_id: str) -> None:
        cached = self._batches.pop(batch_id, None)
        if cached is not None:
            self._cached_ids -= len(cached.ids)
