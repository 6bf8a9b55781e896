"""What recording a group of results changes. Pure.

A batch is a set of results, one for each job: the counters are that set's cache. So a
report sent twice finds its job in the set, and the tallies do not move.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from batches import pace
from batches.batch import Batch, Tally
from batches.errors import BatchError, BatchFull, BatchNotFound, ResultConflict
from batches.result import Disposition, JobOutcome, JobResult, ResultSource, StoredAttempt

Verdict = Disposition | BatchError
"""What became of one result: errors are values here, since one bad result never fails its neighbours."""

StoredAttempts = Mapping[tuple[int, str], StoredAttempt]
"""The recorded attempts of jobs, by batch_key and job_id."""

_UNATTRIBUTED_ORDER = (JobOutcome.SUCCEEDED, JobOutcome.SKIPPED, JobOutcome.FAILED)
"""Which counted result a late report takes if none of its own outcome is left: the least specific first."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What one transaction writes, and the verdict on each result in the order given."""

    verdicts: list[Verdict]
    batches: dict[str, Batch]
    """Every batch of the group as it is afterwards, by batch_id."""
    changed: list[Batch]
    """Those of them that changed."""
    inserted: list[tuple[int, JobResult]]
    """New rows, each with its batch_key."""
    updated: list[tuple[int, JobResult]]
    """Rows whose earlier attempt is superseded, each with its batch_key."""


def record(
    batches: Iterable[Batch],
    stored: StoredAttempts,
    results: Sequence[JobResult],
    source: ResultSource,
) -> Recording:
    """Decide what a group of results changes in the locked batches, read together with `stored`."""
    drafts = {batch.batch_id: _Draft(batch, source) for batch in batches}
    verdicts: list[Verdict] = []
    for result in results:
        draft = drafts.get(result.batch_id)
        verdicts.append(BatchNotFound(result.batch_id) if draft is None else draft.take(result, stored))
    after = {batch_id: draft.finished() for batch_id, draft in drafts.items()}
    return Recording(
        verdicts=verdicts,
        batches=after,
        changed=[after[batch_id] for batch_id, draft in drafts.items() if draft.recorded],
        inserted=[(d.batch.batch_key, result) for d in drafts.values() for result in d.inserted.values()],
        updated=[(d.batch.batch_key, result) for d in drafts.values() for result in d.updated.values()],
    )


class _Draft:
    """One batch while its results of the group are taken, one after the other."""

    def __init__(self, batch: Batch, source: ResultSource) -> None:
        self.batch = batch
        self.source = source
        self.recorded = 0
        self.inserted: dict[str, JobResult] = {}
        self.updated: dict[str, JobResult] = {}
        self._latest: dict[str, StoredAttempt] = {}
        self._tally = _Counter(batch.tally)
        self._unattributed = _Counter(batch.unattributed)
        self._reconciled_jobs = batch.reconciled_jobs

    def take(self, result: JobResult, stored: StoredAttempts) -> Verdict:
        key = (self.batch.batch_key, result.job_id)
        previous = self._latest.get(result.job_id) or stored.get(key)
        if previous is None:
            return self._take_first(result)
        if result.attempt < previous.attempt:
            return Disposition.STALE
        if result.attempt > previous.attempt:
            return self._take_higher(result, previous)
        if result.outcome == previous.outcome:
            return Disposition.DUPLICATE
        return ResultConflict(result.batch_id, result.job_id, result.attempt, previous.outcome.name)

    def finished(self) -> Batch:
        """Return the batch afterwards."""
        if not self.recorded:
            return self.batch
        now = self.batch.change_time
        after = replace(
            self.batch,
            tally=self._tally.tally(),
            unattributed=self._unattributed.tally(),
            reconciled_jobs=self._reconciled_jobs,
            revision=self.batch.revision + 1,
            last_result_time=now,
        )
        return self._with_pace(after, now).with_completion()

    def _take_first(self, result: JobResult) -> Verdict:
        replaced = self._unattributed.take_one(result.outcome)
        if replaced is None and self._is_full():
            return BatchFull(result.batch_id, result.job_id, self.batch.announced_jobs)
        if replaced is not None:
            self._tally.add(replaced, -1)
            self._reconciled_jobs -= 1
        self._count(result)
        self.inserted[result.job_id] = result
        return Disposition.RECORDED

    def _take_higher(self, result: JobResult, previous: StoredAttempt) -> Verdict:
        self._tally.add(previous.outcome, -1)
        self._reconciled_jobs -= previous.source is ResultSource.RECONCILER
        self._count(result)
        rows = self.inserted if result.job_id in self.inserted else self.updated
        rows[result.job_id] = result
        return Disposition.SUPERSEDED_EARLIER

    def _count(self, result: JobResult) -> None:
        self.recorded += 1
        self._tally.add(result.outcome, 1)
        self._reconciled_jobs += self.source is ResultSource.RECONCILER
        self._latest[result.job_id] = StoredAttempt(result.attempt, result.outcome, self.source)

    def _is_full(self) -> bool:
        return self.batch.sealed and self._tally.ended >= self.batch.announced_jobs

    def _with_pace(self, batch: Batch, now: datetime) -> Batch:
        """A repair's results ended at some time in the past: they say nothing about the rate."""
        if self.source is ResultSource.RECONCILER:
            return replace(batch, results_per_second=pace.rate_without_results(self.batch, now))
        # A later attempt of a job moves the batch no further.
        rate = pace.rate_after(self.batch, self._tally.ended - self.batch.tally.ended, now)
        return replace(batch, results_per_second=rate, first_result_time=batch.first_result_time or now)


class _Counter:
    """A tally that moves."""

    def __init__(self, tally: Tally) -> None:
        self._counts = {outcome: tally.of(outcome) for outcome in JobOutcome}
        self.ended = tally.ended

    def add(self, outcome: JobOutcome, number: int) -> None:
        self._counts[outcome] += number
        self.ended += number

    def take_one(self, outcome: JobOutcome) -> JobOutcome | None:
        """Take one result off, of the outcome if there is one; None if there is nothing to take."""
        if self.ended == 0:
            return None
        taken = next(one for one in (outcome, *_UNATTRIBUTED_ORDER) if self._counts[one] > 0)
        self.add(taken, -1)
        return taken

    def tally(self) -> Tally:
        return Tally(*(self._counts[outcome] for outcome in JobOutcome))
