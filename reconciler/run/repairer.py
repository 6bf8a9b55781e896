"""One batch: ask the queue, decide, write; again if the batch moved meanwhile."""

from batches.repair import RepairPlan
from batches.store.batch_store import BatchStore
from reconciler.decision.decide import decide, ended, settled_by_counts
from reconciler.decision.not_repaired import Leave, LeaveKind
from reconciler.queue.listing import Listing, ListingReader
from reconciler.queue.port import JobQueue, JobsNotListed, QueueBatchUnknown, QueueContradiction, QueueCounts
from reconciler.run.result import Draft
from reconciler.run.writer import Writer

LOOKS_AGAIN_MAX = 3
"""A batch that changes under each of four looks moves by itself, and needs no repair now."""


class Repairer:
    """Repairs one batch after the other; may be used for several at the same time."""

    def __init__(self, queue: JobQueue, store: BatchStore, reader: ListingReader, writer: Writer) -> None:
        """Take the queue, where batches are kept, what reads the queue's lists, what carries out plans."""
        self._queue = queue
        self._store = store
        self._reader = reader
        self._writer = writer

    async def repair(self, draft: Draft) -> Leave | None:
        """Repair a batch as far as it can be; return why no more was done, None if all was.

        Raises:
            QueueUnavailable, QueueFault, DatabaseUnavailable; what was done is in the draft.

        """
        for _ in range(1 + LOOKS_AGAIN_MAX):
            try:
                return await self._look(draft)
            except _ChangedMeanwhile:
                draft.refresh(await self._store.get_batch(draft.current.batch_id))
        return Leave(LeaveKind.CHANGED_MEANWHILE, "it changed each time it was looked at")

    async def _look(self, draft: Draft) -> Leave | None:
        if draft.current.has_ended:
            return ended(draft.current)
        try:
            return await self._ask(draft)
        except QueueBatchUnknown as error:
            return Leave(LeaveKind.UNKNOWN_TO_QUEUE, str(error))

    async def _ask(self, draft: Draft) -> Leave | None:
        counts = await self._queue.batch_counts(draft.current.batch_id)
        left = await self._carry_out(draft, counts)
        if left is not None and left.kind is LeaveKind.CONTRADICTION and await self._moved(draft, counts):
            raise _ChangedMeanwhile
        return left

    async def _carry_out(self, draft: Draft, counts: QueueCounts) -> Leave | None:
        left = settled_by_counts(draft.current, counts)
        if left is not None:
            return left
        try:
            return await self._repair_by_portions(draft, counts)
        except QueueContradiction as error:
            return Leave(LeaveKind.CONTRADICTION, str(error))

    async def _repair_by_portions(self, draft: Draft, counts: QueueCounts) -> Leave | None:
        listing = await self._list(draft, counts)
        while True:
            decision = decide(draft.current, counts, listing)
            if isinstance(decision, Leave):
                return decision
            await self._write(draft, decision)
            if listing is None or not listing.left_out:
                return None
            listing = await self._reader.go_on(draft.current, listing)

    async def _list(self, draft: Draft, counts: QueueCounts) -> Listing | None:
        if not counts.lists_jobs:
            return None
        try:
            return await self._reader.read(draft.current, counts)
        except JobsNotListed:  # the counts are as good as those of a queue that says so at once
            return None

    async def _write(self, draft: Draft, plan: RepairPlan) -> None:
        after = await self._writer.write(draft.current, plan)
        if after is None:
            raise _ChangedMeanwhile
        draft.repaired(plan, after)

    async def _moved(self, draft: Draft, counts: QueueCounts) -> bool:
        """Whether the batch or the queue moved, so that what was read belongs to different moments."""
        batch = await self._store.get_batch(draft.current.batch_id)
        return batch.revision != draft.current.revision or counts != await self._queue.batch_counts(
            batch.batch_id
        )


class _ChangedMeanwhile(Exception):
    """Somebody else changed the batch after it was read."""
