"""Repairs one batch: ask the queue, decide, write; again if the batch changed meanwhile."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from batches.batch import NO_JOBS, Batch
from batches.look import QueuePending
from batches.repair import RepairPlan, repair
from batches.result import JobOutcome
from batches.store.batch_store import BatchStore
from reconciler.decision.by_person import end_by_person
from reconciler.decision.decide import (
    PlannedRepair,
    already_ended,
    decide,
    over_failure_limit,
    ruled_out_by_counts,
)
from reconciler.decision.not_repaired import NotRepaired, NotRepairedReason
from reconciler.decision.reasons import ReasonKind
from reconciler.decision.recount import recount
from reconciler.queue.listing import Listing
from reconciler.queue.port import (
    JobQueue,
    JobsNotListed,
    QueueBatchUnknown,
    QueueContradiction,
    QueueCounts,
    QueueFault,
    QueueTimeout,
)
from reconciler.queue.reader import ListingReader
from reconciler.run.queue_errors import left_by
from reconciler.run.repair_writer import RepairWriter
from reconciler.run.result import BatchInProgress, Word

RETRIES_MAX = 3
"""A batch that changes during each of four tries gets results by itself, and needs no repair now."""


class Repairer:
    """Repairs batches, several at the same time if asked to.

    Args:
        queue: What the queue knows.
        store: Where batches are kept.
        word: Puts the reasons of a repair, which is kept with them, into words.
        dry_run: Work out by the same rules what would be written, and write nothing.

    """

    def __init__(self, queue: JobQueue, store: BatchStore, word: Word, *, dry_run: bool) -> None:
        self._queue = queue
        self._store = store
        self._writer = RepairWriter(store)
        self._reader = ListingReader(queue, store)
        self._word = word
        self._dry_run = dry_run

    async def repair(self, batch: BatchInProgress) -> NotRepaired | None:
        """Repair a batch as far as possible; what was done is noted in it, even if an error is raised.

        Returns:
            Why no more was done; None if everything that the queue knows is recorded.

        Raises:
            QueueUnavailable: The queue does not answer.
            QueueFault: The queue's service failed on this batch.
            DatabaseUnavailable: The database does not answer.

        """
        return await self._until_unchanged(batch, self._try)

    async def end(self, batch: BatchInProgress, outcome: JobOutcome) -> NotRepaired | None:
        """Repair a batch as far as possible, then end it by the order of a person.

        Args:
            batch: The batch.
            outcome: How the jobs count that have no result then.

        Returns:
            Why the batch was not ended; None if it has ended now.

        Raises:
            QueueUnavailable: The queue does not answer; it may know more results, so nothing is ended.
            DatabaseUnavailable: The database does not answer.

        """

        async def once(batch: BatchInProgress) -> NotRepaired | None:
            if batch.current.has_ended:
                return already_ended(batch.current)
            try:
                left = await self._try(batch)
            except (QueueFault, QueueTimeout) as error:
                left = left_by(error)
            if not batch.current.has_ended:
                await self._carry_out(batch, end_by_person(batch.current, outcome, left or batch.unfinished))
                return None
            return left

        return await self._until_unchanged(batch, once)

    async def _until_unchanged(
        self, batch: BatchInProgress, once: Callable[[BatchInProgress], Awaitable[NotRepaired | None]]
    ) -> NotRepaired | None:
        for _ in range(1 + RETRIES_MAX):
            await batch.place.take()
            try:
                return await once(batch)
            except _ChangedMeanwhile:
                batch.refresh(await self._store.get_batch(batch.current.batch_id))
        return NotRepaired.because(NotRepairedReason.CHANGED_MEANWHILE, ReasonKind.CHANGED_MEANWHILE)

    async def _try(self, batch: BatchInProgress) -> NotRepaired | None:
        if batch.current.has_ended:
            return await self._recount(batch)
        if (overdue := over_failure_limit(batch.current)) is not None:
            await self._carry_out(batch, overdue)
            return None
        try:
            counts = await self._counts(batch.current)
            not_repaired = await self._repair_by(counts, batch)
            if not_repaired is not None and not_repaired.reason is NotRepairedReason.CONTRADICTION:
                await self._require_unchanged(batch, counts)
        except (QueueBatchUnknown, QueueContradiction) as error:
            return left_by(error)
        return not_repaired

    async def _recount(self, batch: BatchInProgress) -> NotRepaired | None:
        """Let the results without rows of an ended batch follow the queue, which may have retried jobs."""
        if batch.current.unattributed == NO_JOBS:
            return already_ended(batch.current)
        try:
            decision = recount(batch.current, await self._counts(batch.current))
        except (QueueBatchUnknown, QueueContradiction):
            return already_ended(batch.current)
        if isinstance(decision, NotRepaired):
            return decision
        await self._carry_out(batch, decision)
        return None

    async def _repair_by(self, counts: QueueCounts, batch: BatchInProgress) -> NotRepaired | None:
        ruled_out = ruled_out_by_counts(batch.current, counts)
        if ruled_out is not None:
            return ruled_out
        try:
            return await self._repair_by_portions(batch, counts)
        except QueueContradiction as error:
            return left_by(error)

    async def _repair_by_portions(self, batch: BatchInProgress, counts: QueueCounts) -> NotRepaired | None:
        listing = await self._list(batch, counts)
        first_pending = () if listing is None else listing.first_pending
        batch.note_pending(QueuePending(counts.pending, listing is not None, first_pending))
        while True:
            decision = decide(batch.current, counts, listing)
            if isinstance(decision, NotRepaired):
                return decision
            await self._carry_out(batch, decision)
            if listing is None or not listing.left_out or batch.current.has_ended:
                return None
            await batch.place.take()
            listing = await self._reader.read_next_portion(batch.current, listing)

    async def _list(self, batch: BatchInProgress, counts: QueueCounts) -> Listing | None:
        if not counts.lists_jobs:
            return None
        try:
            return await self._reader.read(batch.current, counts)
        except JobsNotListed:  # the counts are as good as those of a queue that does not promise a list
            return None

    async def _carry_out(self, batch: BatchInProgress, planned: PlannedRepair) -> None:
        key = batch.current.batch_key
        plan = replace(planned.plan, batch_key=key, reason=self._word(planned.reasons))
        if self._dry_run:
            after: Batch | None = await self._simulate(batch.current, plan)
        else:
            batch.place.leave()
            after = await self._writer.write(plan)
        if after is None:
            raise _ChangedMeanwhile
        batch.add_repair(plan, planned.reasons, after, planned.unfinished)

    async def _simulate(self, batch: Batch, plan: RepairPlan) -> Batch:
        """Return the batch as the repair would leave it, but with the version that it still has."""
        attempts = await self._store.read_attempts(batch.batch_key, [one.job_id for one in plan.results])
        stored = {(batch.batch_key, job_id): attempt for job_id, attempt in attempts.items()}
        after = repair(batch, stored, plan).batches[batch.batch_id]
        return replace(after, revision=batch.revision, last_result_time=batch.last_result_time)

    async def _require_unchanged(self, batch: BatchInProgress, counts: QueueCounts) -> None:
        """Raise if the batch or the queue moved, so that the answers belong to different moments."""
        stored = await self._store.get_batch(batch.current.batch_id)
        if stored.version != batch.current.version:
            raise _ChangedMeanwhile
        if counts != await self._counts(stored):
            raise _ChangedMeanwhile

    async def _counts(self, batch: Batch) -> QueueCounts:
        return await self._queue.batch_counts(batch.batch_id, batch.total_jobs)


class _ChangedMeanwhile(Exception):
    """The batch, or the queue's answer about it, changed after it was read."""
