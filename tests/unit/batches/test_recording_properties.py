"""Any sequence of reports, however it is grouped, gives the tallies of a ten-line model."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from batches.batch import Batch, BatchState, Tally
from batches.failure_limit import CancelReason, FailureLimit
from batches.recording import record
from batches.result import Disposition, JobOutcome, JobResult, ResultSource, StoredAttempt
from batches.store.check import differences_of
from tests.support.samples import BATCH, WORKER, Stored, at, result, tally_of

JOBS = [f"job-{number}" for number in range(6)]
REPORTS = st.lists(
    st.builds(result, st.sampled_from(JOBS), st.sampled_from(JobOutcome), attempt=st.integers(1, 3)),
    max_size=40,
)
BATCHES = st.builds(
    lambda announced_jobs, sealed: replace(BATCH, announced_jobs=announced_jobs, sealed=sealed),
    st.integers(1, len(JOBS) + 1),
    st.booleans(),
)
COUNTED = st.builds(
    lambda counted: replace(
        BATCH,
        announced_jobs=counted.ended,
        tally=counted,
        unattributed=counted,
        reconciled_jobs=counted.ended,
        state=BatchState.COMPLETED,
        complete_time=at(0),
    ),
    st.builds(Tally, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
)
"""Batches that a repair ended with counts alone."""
CUTS = st.lists(st.integers(0, 40), max_size=6)
SOURCES = st.sampled_from(ResultSource)
LIMITS = st.one_of(
    st.builds(FailureLimit, jobs=st.integers(0, 4)), st.builds(FailureLimit, percent=st.integers(0, 99))
)
MOVES = {Disposition.RECORDED, Disposition.SUPERSEDED_EARLIER}


def model(batch: Batch, reports: Iterable[JobResult]) -> Tally:
    """Count the highest attempt of each job, of equal ones the first; ignore jobs beyond a sealed total."""
    latest: dict[str, tuple[int, JobOutcome]] = {}
    for report in reports:
        if report.job_id not in latest and batch.sealed and len(latest) == batch.announced_jobs:
            continue
        if report.attempt > latest.get(report.job_id, (0, None))[0]:
            latest[report.job_id] = (report.attempt, report.outcome)
    return tally_of(outcome for _, outcome in latest.values())


def groups(reports: Sequence[JobResult], cuts: Iterable[int]) -> Iterator[Sequence[JobResult]]:
    """Cut the reports into groups; some may be empty."""
    places = sorted({0, len(reports), *(min(cut, len(reports)) for cut in cuts)})
    return (reports[start:end] for start, end in pairwise(places))


def replay(
    batch: Batch, reports: Sequence[JobResult], cuts: Iterable[int], sources: Sequence[ResultSource]
) -> Batch:
    """Record the groups one after the other, as the store does, and check the invariants after each."""
    rows: Stored = {}
    for number, group in enumerate(groups(reports, cuts)):
        before = replace(batch, read_time=at(number))
        source = sources[number % len(sources)]
        recording = record([before], rows, group, source)
        inserted, updated = attempts(recording.inserted, source), attempts(recording.updated, source)
        assert not inserted.keys() & rows.keys()
        assert updated.keys() <= rows.keys()
        rows |= inserted | updated
        batch = recording.batches[before.batch_id]
        assert batch.revision - before.revision == int(not MOVES.isdisjoint(recording.verdicts))
        assert recording.changed == [batch] * (batch.revision - before.revision)
        check_invariants(batch, rows)
    return batch


def attempts(written: Iterable[tuple[int, JobResult]], source: ResultSource) -> Stored:
    """Return written rows as they are read the next time."""
    return {(key, one.job_id): StoredAttempt(one.attempt, one.outcome, source) for key, one in written}


def check_invariants(batch: Batch, rows: Stored) -> None:
    """Check the invariants of a batch that was not cancelled."""
    tally, counted = batch.tally, batch.unattributed
    assert tally.succeeded + tally.failed + tally.skipped + batch.pending_jobs == batch.total_jobs
    assert min(batch.pending_jobs, batch.reconciled_jobs, *numbers(tally), *numbers(counted)) >= 0
    assert list(differences_of(batch, Counter((row.outcome, row.source) for row in rows.values()))) == []
    is_complete = batch.sealed and batch.pending_jobs == 0
    assert (batch.state is BatchState.COMPLETED) == (batch.percent_complete == 100) == is_complete


def numbers(tally: Tally) -> tuple[int, ...]:
    """Return the three numbers of a tally."""
    return (tally.succeeded, tally.failed, tally.skipped)


@given(batch=BATCHES, reports=REPORTS, cuts=CUTS, source=SOURCES)
def test_tallies_equal_those_of_the_model(
    batch: Batch, reports: list[JobResult], cuts: list[int], source: ResultSource
) -> None:
    """The invariants hold after each group."""
    assert replay(batch, reports, cuts, [source]).tally == model(batch, reports)


@given(batch=BATCHES, reports=REPORTS, cuts=CUTS, other_cuts=CUTS, source=SOURCES)
def test_grouping_does_not_matter(
    batch: Batch, reports: list[JobResult], cuts: list[int], other_cuts: list[int], source: ResultSource
) -> None:
    """The same reports in the same order give the same counters and state, whatever the groups."""
    one, other = (replay(batch, reports, these, [source]) for these in (cuts, other_cuts))
    assert (one.tally, one.total_jobs, one.state) == (other.tally, other.total_jobs, other.state)
    assert one.reconciled_jobs == other.reconciled_jobs


@given(batch=BATCHES, reports=REPORTS, cuts=CUTS, other_cuts=CUTS, sources=st.lists(SOURCES, min_size=1))
def test_repeated_reports_change_nothing(
    batch: Batch,
    reports: list[JobResult],
    cuts: list[int],
    other_cuts: list[int],
    sources: list[ResultSource],
) -> None:
    """This holds for reports of workers and of the reconciler."""
    once = replay(batch, reports, cuts, sources)
    twice = replay(batch, [*reports, *reports], [*cuts, *other_cuts], sources)
    assert twice.tally == once.tally == model(batch, reports)


@given(batch=COUNTED, reports=REPORTS, cuts=CUTS, sources=st.lists(SOURCES, min_size=1))
def test_late_reports_never_move_the_sum(
    batch: Batch, reports: list[JobResult], cuts: list[int], sources: list[ResultSource]
) -> None:
    """In a batch ended by counts each late job replaces a count: sum, total and state stay."""
    after = replay(batch, reports, cuts, sources)
    assert (after.tally.ended, after.total_jobs, after.state) == (
        batch.tally.ended,
        batch.total_jobs,
        batch.state,
    )
    assert after.unattributed.ended == max(
        0, batch.unattributed.ended - len({report.job_id for report in reports})
    )


@given(batch=BATCHES, limit=LIMITS, reports=REPORTS, cuts=CUTS)
def test_limit_of_failures_only_changes_how_a_batch_ends(
    batch: Batch, limit: FailureLimit, reports: list[JobResult], cuts: list[int]
) -> None:
    """The first group after which too many jobs have failed cancels for good; every result is counted."""
    free, limited = batch, replace(batch, failure_limit=limit)
    rows: Stored = {}
    for group in groups(reports, cuts):
        recording = record([free], rows, group, WORKER)
        before, free = limited, recording.batches[batch.batch_id]
        limited = record([before], rows, group, WORKER).batches[batch.batch_id]
        rows |= attempts(recording.inserted, WORKER) | attempts(recording.updated, WORKER)
        fails = not before.has_ended and has_too_many_failures(free, limit)
        ended = (BatchState.CANCELLED, CancelReason.FAILURE_LIMIT) if fails else (free.state, None)
        expected = (before.state, before.cancel_reason) if before.has_ended else ended
        assert (limited.state, limited.cancel_reason) == expected
        assert (limited.tally, limited.revision) == (free.tally, free.revision)


def has_too_many_failures(batch: Batch, limit: FailureLimit) -> bool:
    """Return whether a batch has more failures than a limit allows, by exact fractions."""
    if limit.jobs is not None:
        return batch.tally.failed > limit.jobs
    share = Fraction(batch.tally.failed, max(batch.total_jobs, 1))
    return batch.sealed and share > Fraction(limit.percent or 0, 100)
