"""A batch, its recorded results and its queue in memory, repaired by the pure parts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from batches.batch import Batch, Tally
from batches.recording import Recording
from batches.repair import RepairPlan, repair
from batches.result import ResultSource, StoredAttempt
from batches.store.check import differences_of
from reconciler.decision.decide import Decision, PlannedRepair, decide
from reconciler.decision.not_repaired import NotRepaired, NotRepairedReason
from reconciler.decision.reasons import ReasonKind
from reconciler.queue.listing import Listing
from reconciler.queue.port import JobPage, QueueContradiction, QueueCounts, QueueJob
from reconciler.queue.reader import ListingReader
from tests.support.samples import BATCH, Stored, tally_of


@dataclass
class World:
    """One batch with its recorded results, and its queue."""

    batch: Batch
    stored: Stored
    counts: QueueCounts
    jobs: list[QueueJob]
    results_max: int = 10_000

    async def batch_counts(self, batch_id: str, jobs: int = 0) -> QueueCounts:  # noqa: ARG002  # there is one batch
        """Return the queue's counts."""
        return self.counts

    async def job_page(self, batch_id: str, page_token: str, size: int) -> JobPage:  # noqa: ARG002
        """Return a page; the token is the index of its first job."""
        begin = int(page_token or 0)
        token = str(begin + size) if begin + size < len(self.jobs) else ""
        return JobPage(tuple(self.jobs[begin : begin + size]), token)

    async def read_attempts(self, batch_key: int, job_ids: Sequence[str]) -> dict[str, StoredAttempt]:
        """Return what is recorded of these jobs."""
        return {one: self.stored[batch_key, one] for one in job_ids if (batch_key, one) in self.stored}

    async def decide(self, portion: Listing | None = None) -> tuple[Decision, Listing | None]:
        """Decide about the batch, or about the next portion of a list."""
        if not self.counts.lists_jobs:
            return decide(self.batch, self.counts, None), None
        reader = ListingReader(self, self, results_max=self.results_max)
        try:
            if portion is None:
                listing = await reader.read(self.batch, self.counts)
            else:
                listing = await reader.read_next_portion(self.batch, portion)
        except QueueContradiction as error:
            return NotRepaired.because(
                NotRepairedReason.CONTRADICTION, ReasonKind.QUEUE_ERROR, str(error)
            ), None
        return decide(self.batch, self.counts, listing), listing

    async def repair(self) -> tuple[list[RepairPlan], NotRepaired | None]:
        """Decide and carry out, portion by portion, as a pass does; return the plans and why it ended."""
        plans: list[RepairPlan] = []
        decision, listing = await self.decide()
        while isinstance(decision, PlannedRepair):
            plans.append(decision.plan)
            self.carry_out(decision.plan)
            if listing is None or not listing.left_out:
                return plans, None
            decision, listing = await self.decide(listing)
        return plans, decision

    def carry_out(self, plan: RepairPlan) -> Recording:
        """Change the batch and its results by the rules of the core."""
        recording = repair(self.batch, self.stored, plan)
        self.batch = recording.batches[self.batch.batch_id]
        for key, result in (*recording.inserted, *recording.updated):
            attempt = StoredAttempt(result.attempt, result.outcome, ResultSource.RECONCILER)
            self.stored = {**self.stored, (key, result.job_id): attempt}
        return recording

    def differences(self) -> list[str]:
        """Return the names of the counters that differ from the rows."""
        rows = Counter((one.outcome, one.source) for one in self.stored.values())
        return [one.name for one in differences_of(self.batch, dict(rows))]


def batch_of(stored: Stored, counted: Tally, *, sealed: bool, spare_jobs: int) -> Batch:
    """Return a batch with these results, counted ones without rows, and jobs without a result."""
    tally = tally_of(one.outcome for one in stored.values()) + counted
    reconciled = sum(one.source is ResultSource.RECONCILER for one in stored.values())
    batch = replace(
        BATCH,
        sealed=sealed,
        announced_jobs=tally.ended + spare_jobs,
        tally=tally,
        unattributed=counted,
        reconciled_jobs=reconciled + counted.ended,
    )
    return batch.with_end()
