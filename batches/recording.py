"""What changes when a group of results is recorded. Pure.

A batch is a set of results, one per job, and its counters are a cache of that set. A report that is
sent twice finds its job already in the set, so the counters do not move.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from batches import pace
from batches.batch import Batch, Tally
from batches.errors import BatchError, BatchFull, BatchNotFound, ResultConflict
from batches.result import Disposition, JobOutcome, JobResult, ResultSource, StoredAttempt

Verdict = Disposition | BatchError
"""The answer to one result. Errors are values here, since a bad result must never fail the others."""

StoredAttempts = Mapping[tuple[int, str], StoredAttempt]
"""The recorded attempts of jobs, by batch_key and job_id."""

_UNATTRIBUTED_ORDER = (JobOutcome.SUCCEEDED, JobOutcome.SKIPPED, JobOutcome.FAILED)
"""If no counted result has the outcome of a late report, the report replaces one of these, the least specific
outcome first."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What one transaction writes."""

    verdicts: list[Verdict]
    """The verdict on each result, in the order given."""
    batches: dict[str, Batch]
    """Every batch of the group after the change, by batch_id."""
    changed: list[Batch]
    """The batches that changed."""
    inserted: list[tuple[int, JobResult]]
    """New rows, each with its batch_key."""
    updated: list[tuple[int, JobResult]]
    """Rows that replace an earlier attempt, each with its batch_key."""


def joined(recordings: Iterable[Recording]) -> Recording:
    """Return what recordings of different batches write together."""
    whole = Recording([], {}, [], [], [])
    for one in recordings:
        whole.verdicts.extend(one.verdicts)
        whole.batches.update(one.batches)
        whole.changed.extend(one.changed)
        whole.inserted.extend(one.inserted)
        whole.updated.extend(one.updated)
    return whole


def record(
    batches: Iterable[Batch],
    stored: StoredAttempts,
    results: Sequence[JobResult],
    source: ResultSource,
) -> Recording:
    """Decide what a group of results changes.

    Args:
        batches: The batches of the results, locked; a result of any other batch gets BatchNotFound.
        stored: The recorded attempts of the jobs, read after the batches were locked.
        results: The results to record.
        source: Who reports them.

    """
    drafts = {batch.batch_id: _Draft(batch, source) for batch in batches}
    verdicts: list[Verdict] = []
    for result in results:
        draft = drafts.get(result.batch_id)
        verdicts.append(BatchNotFound(result.batch_id) if draft is None else draft.add(result, stored))
    after = {batch_id: draft.finished() for batch_id, draft in drafts.items()}
    return Recording(
        verdicts=verdicts,
        batches=after,
        changed=[after[batch_id] for batch_id, draft in drafts.items() if draft.recorded],
        inserted=[(d.batch.batch_key, result) for d in drafts.values() for result in d.inserted.values()],
        updated=[(d.batch.batch_key, result) for d in drafts.values() for result in d.updated.values()],
    )


class _Draft:
    """One batch while the results of a group are added to it, one after the other."""

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

    def add(self, result: JobResult, stored: StoredAttempts) -> Verdict:
        key = (self.batch.batch_key, result.job_id)
        previous = self._latest.get(result.job_id) or stored.get(key)
        if previous is None:
            return self._add_first(result)
        if result.attempt < previous.attempt:
            return Disposition.STALE
        if result.attempt > previous.attempt:
            return self._supersede(result, previous)
        if result.outcome == previous.outcome:
            return Disposition.DUPLICATE
        return ResultConflict(result.batch_id, result.job_id, result.attempt, previous.outcome.name)

    def finished(self) -> Batch:
        """Return the batch after the group."""
        if not self.recorded:
            return self.batch
        now = self.batch.change_time
        rate, first_result_time = self._pace_at(now)
        after = replace(
            self.batch,
            tally=self._tally.tally(),
            unattributed=self._unattributed.tally(),
            reconciled_jobs=self._reconciled_jobs,
            revision=self.batch.revision + 1,
            results_per_second=rate,
            first_result_time=first_result_time,
            last_result_time=now,
        )
        return after.with_end()

    def _add_first(self, result: JobResult) -> Verdict:
        replaced = self._unattributed.remove_one(result.outcome)
        if replaced is None and self._is_full():
            return BatchFull(result.batch_id, result.job_id, self.batch.announced_jobs)
        if replaced is not None:
            self._tally.add(replaced, -1)
            self._reconciled_jobs -= 1
        self._count(result)
        self.inserted[result.job_id] = result
        return Disposition.RECORDED

    def _supersede(self, result: JobResult, previous: StoredAttempt) -> Verdict:
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

    def _pace_at(self, now: datetime) -> tuple[float, datetime | None]:
        """Return the rate and the time of the first result.

        The results of a repair ended at an unknown time and tell nothing about the rate.
        """
        first = pace.first_result_time_at(self.batch, now)
        if self.source is ResultSource.RECONCILER:
            return pace.rate_without_results(self.batch, now), first
        # Only newly ended jobs count: a later attempt of a job does not bring the batch closer to its end.
        return pace.rate_after(self.batch, self._tally.ended - self.batch.tally.ended, now), first or now


class _Counter:
    """A mutable tally."""

    def __init__(self, tally: Tally) -> None:
        # By the number of the outcome, since the hash of one takes longer than the rest of a result.
        self._counts = [0, tally.succeeded, tally.failed, tally.skipped]
        self.ended = tally.ended

    def add(self, outcome: JobOutcome, number: int) -> None:
        self._counts[outcome] += number
        self.ended += number

    def remove_one(self, outcome: JobOutcome) -> JobOutcome | None:
        """Remove one result, of this outcome if possible; return its outcome, None if the tally is empty."""
        if self.ended == 0:
            return None
        removed = next(one for one in (outcome, *_UNATTRIBUTED_ORDER) if self._counts[one] > 0)
        self.add(removed, -1)
        return removed

    def tally(self) -> Tally:
        return Tally(*self._counts[1:])
