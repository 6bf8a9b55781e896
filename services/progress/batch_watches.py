"""WatchBatches: reads what a watch begins with, and makes the responses of what the hub tells it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from batches.batch import Batch, BatchState
from batches.listing import BatchFilter
from batchprogress.v1 import progress_pb2 as pb
from services.progress.batch_messages import BatchMessages
from services.progress.reads import Reads
from services.progress.selection_watch import CHUNK_BATCHES, EndedSince, News
from services.progress.watch_hub import WatchHub
from services.progress.watch_requests import SelectionRequest

if TYPE_CHECKING:  # the edge must not load SQLAlchemy to name the store
    from batches.store.batch_store import BatchStore
    from batches.store.news import EndedKey, NewsStore

LATE_END_SECONDS = 60.0
"""How much earlier than the position of a watch its ends are read: a transaction may be 20 s old when it is
committed, and the clocks of the nodes of a cluster differ. Those ends may be sent twice."""


class BatchWatches:
    """Watches of many batches.

    Args:
        store: where the batches are.
        news: where those that have ended are found.
        hub: has the states of watched batches.
        messages: makes the messages of batches.
        reads: runs the reads of callers.

    """

    def __init__(
        self, store: "BatchStore", news: "NewsStore", hub: WatchHub, messages: BatchMessages, reads: Reads
    ) -> None:
        self._store = store
        self._news = news
        self._hub = hub
        self._messages = messages
        self._reads = reads

    async def watch(self, request: SelectionRequest) -> AsyncGenerator[pb.WatchBatchesResponse, None]:
        """Yield the responses of a watch; raises what the hub and the store raise."""
        ended = None
        if request.since is not None:
            pages = self._ended(request.selected, request.since - timedelta(seconds=LATE_END_SECONDS))
            ended = EndedSince(request.since, pages)
        watching = self._hub.watch_selection(
            request.selected,
            partial(self._under_way, request.selected),
            request.min_interval_seconds,
            request.heartbeat_seconds,
            ended,
        )
        async with aclosing(watching):
            async for news in watching:
                for response in await self._responses(request, news):
                    yield response

    async def _responses(self, request: SelectionRequest, news: News) -> list[pb.WatchBatchesResponse]:
        """Return the responses; only the last of them has the position after all of them."""
        batches = await self._messages.of_snapshots(news.snapshots)
        batches += [pb.Batch(batch_id=batch_id) for batch_id in news.gone]
        before, after = request.token(news.position_before), request.token(news.position)
        if not batches:
            return [pb.WatchBatchesResponse(resume_token=after)]
        responses = [pb.WatchBatchesResponse(batch=batch, resume_token=before) for batch in batches]
        responses[-1].resume_token = after
        return responses

    async def _under_way(self, selected: BatchFilter, most: int) -> Sequence[Batch]:
        """Return at most so many batches that are under way, newest first."""
        under_way = BatchFilter(BatchState.PROCESSING, selected.labels, selected.id_prefix, hides_others=True)
        found: list[Batch] = []
        before_key: int | None = None
        while len(found) < most:
            page = await self._reads.run(
                partial(self._store.list_batches, under_way, before_key=before_key, size=most - len(found))
            )
            found += page.items
            before_key = page.next_key
            if before_key is None:
                break
        return found

    async def _ended(self, selected: BatchFilter, since: datetime) -> AsyncGenerator[Sequence[Batch], None]:
        """Yield the batches that ended at a time or later, filtered by their ids only."""
        after: EndedKey | None = None
        while True:
            page = await self._reads.run(
                partial(
                    self._news.list_ended,
                    since,
                    after=after,
                    id_prefix=selected.id_prefix,
                    size=CHUNK_BATCHES,
                )
            )
            yield page.items
            after = page.next_key
            if after is None:
                return
