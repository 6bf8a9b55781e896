"""A batch, its recorded results and its queue in memory, repaired by the pure parts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from batches.batch import Batch, Tally
from batches.recording import Recording
from batches.repair import RepairPlan, repair
from batches.result import ResultSource, StoredAttempt
from batches.store.check import differences_of
from reconciler.decision.decide import Decision, decide
from reconciler.decision.not_repaired import Leave, LeaveKind
from reconciler.queue.listing import Listing, ListingReader
from reconciler.queue.port import JobPage, QueueContradiction, QueueCounts, QueueJob
from tests.support.samples import BATCH, Stored, tally_of


@dataclass
class World:
    """What is known of one batch, here and in the queue."""

    batch: Batch
    stored: Stored
    counts: QueueCounts
    jobs: list[QueueJob]
    results_max: int = 10_000

    async def batch_counts(self, batch_id: str) -> QueueCounts:  # noqa: ARG002  # there is one batch
        """Return the counts that the queue tells."""
        return self.counts

    async def job_page(self, batch_id: str, page_token: str, size: int) -> JobPage:  # noqa: ARG002
        """Return a page; the token is the number of its first job."""
        begin = int(page_token or 0)
        token = str(begin + size) if begin + size < len(self.jobs) else ""
        return JobPage(tuple(self.jobs[begin : begin + size]), token)

    async def read_attempts(self, batch_key: int, job_ids: Sequence[str]) -> dict[str, StoredAttempt]:
        """Return what is recorded of these jobs."""
        return {one: self.stored[batch_key, one] for one in job_ids if (batch_key, one) in self.stored}

    async def decide(self, portion: Listing | None = None) -> tuple[Decision, Listing | None]:
        """Look at the batch, or at the next portion of a list, and decide."""
        if not self.counts.lists_jobs:
            return decide(self.batch, self.counts, None), None
        reader = ListingReader(self, self, results_max=self.results_max)
        try:
            if portion is None:
                listing = await reader.read(self.batch, self.counts)
            else:
                listing = await reader.go_on(self.batch, portion)
        except QueueContradiction as error:
            return Leave(LeaveKind.CONTRADICTION, str(error)), None
        return decide(self.batch, self.counts, listing), listing

    async def settle(self) -> tuple[list[RepairPlan], Leave | None]:
        """Look once, as a pass does: decide and carry out, portion by portion."""
        plans: list[RepairPlan] = []
        decision, listing = await self.decide()
        while isinstance(decision, RepairPlan):
            plans.append(decision)
            self.carry_out(decision)
            if listing is None or not listing.left_out:
                return plans, None
            decision, listing = await self.decide(listing)
        return plans, decision

    def carry_out(self, plan: RepairPlan) -> Recording:
        """Change the batch and its rows by the rules of the core."""
        recording = repair(self.batch, self.stored, plan)
        self.batch = recording.batches[self.batch.batch_id]
        for key, result in (*recording.inserted, *recording.updated):
            attempt = StoredAttempt(result.attempt, result.outcome, ResultSource.RECONCILER)
            self.stored = {**self.stored, (key, result.job_id): attempt}
        return recording

    def differences(self) -> list[str]:
        """Return which counters differ from the rows."""
        rows = Counter((one.outcome, one.source) for one in self.stored.values())
        return [one.name for one in differences_of(self.batch, dict(rows))]


def batch_of(stored: Stored, counted: Tally, *, sealed: bool, spare_jobs: int) -> Batch:
    """Return a batch with these rows, so many results without rows and so many jobs to come."""
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
    return batch.with_completion()
