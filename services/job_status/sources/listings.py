"""The ids of batches that are being listed: read once, for all pages of a listing.

Redis has a batch's ids in one value that no range can be read of in order. So they are kept from the first
page on, for a while and up to a number; what became of each job is asked for by its page.
"""

import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

KEPT_SECONDS_MAX = 60.0
"""From one page to the next: the reconciler asks for it at once, and gives up a call after ten seconds."""
KEPT_IDS_MAX = 500_000
"""Of all listings together, some 50 MB at 36 characters an id. A larger batch is read anew for each page."""

Clock = Callable[[], float]
"""Seconds that only rise."""


@dataclass(slots=True)
class _Listing:
    ids: Sequence[str]
    used_at: float


class Listings:
    """Keeps the ids of batches between the pages of a listing, the least recently used go first."""

    def __init__(self, *, kept_ids_max: int = KEPT_IDS_MAX, clock: Clock = time.monotonic) -> None:
        """Start with none."""
        self._kept_ids_max = kept_ids_max
        self._clock = clock
        self._listings: OrderedDict[str, _Listing] = OrderedDict()
        self._kept_ids = 0

    async def page(
        self, batch_id: str, after: str | None, size: int, read: Callable[[str], Awaitable[Sequence[str]]]
    ) -> tuple[Sequence[str], str | None]:
        """Return at most `size` ids after one, and the key of the next page; None if that was the last.

        `read` returns all ids of a batch, sorted. The first page always reads, so that no listing begins
        with what an earlier one found.
        """
        ids = None if after is None else self._kept(batch_id)
        if ids is None:
            ids = await read(batch_id)
            self._keep(batch_id, ids)
        begin = 0 if after is None else bisect_right(ids, after)
        page = ids[begin : begin + size]
        return page, page[-1] if begin + size < len(ids) else None

    def _kept(self, batch_id: str) -> Sequence[str] | None:
        self._drop_old()
        listing = self._listings.get(batch_id)
        if listing is None:
            return None
        listing.used_at = self._clock()
        self._listings.move_to_end(batch_id)
        return listing.ids

    def _keep(self, batch_id: str, ids: Sequence[str]) -> None:
        self._drop(batch_id)
        self._drop_old()
        if len(ids) > self._kept_ids_max:
            return
        while self._kept_ids + len(ids) > self._kept_ids_max:
            self._drop(next(iter(self._listings)))
        self._listings[batch_id] = _Listing(ids, self._clock())
        self._kept_ids += len(ids)

    def _drop_old(self) -> None:
        oldest = self._clock() - KEPT_SECONDS_MAX
        for batch_id in [one for one, listing in self._listings.items() if listing.used_at < oldest]:
            self._drop(batch_id)

    def _drop(self, batch_id: str) -> None:
        listing = self._listings.pop(batch_id, None)
        if listing is not None:
            self._kept_ids -= len(listing.ids)
