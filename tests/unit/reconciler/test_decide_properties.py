"""Whatever a queue says, truth or lies, what is made of it keeps the rules of a batch."""

import asyncio
from dataclasses import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from batches.batch import BatchState, Tally
from batches.repair import RepairPlan
from batches.result import Disposition, JobOutcome, ResultSource, StoredAttempt
from reconciler.decision.not_repaired import Leave, LeaveKind
from reconciler.queue.port import QueueCounts, QueueJob
from tests.support.samples import BATCH, Stored, tally_of
from tests.unit.reconciler.model import World, batch_of

Jobs = list[QueueJob]

JOBS_MAX = 6
OUTCOMES = st.sampled_from(JobOutcome)
OUTCOMES_OR_PENDING = st.one_of(OUTCOMES, OUTCOMES, OUTCOMES, st.none())
SEALED = st.booleans()
ATTEMPTS = st.sampled_from([1, 1, 1, 2, 3])
RECORDED = st.sampled_from(["not", "not", "alike", "alike", "at random"])
SOURCES = st.sampled_from(ResultSource)
COUNTED = st.just(Tally()) | st.builds(Tally, st.integers(0, 2), st.integers(0, 2))
"""Results without rows. A processing batch has none today, and only portions rely on that."""
LIES = st.dictionaries(
    st.sampled_from(["total", "succeeded", "failed", "skipped", "pending"]), st.integers(-2, 9), min_size=1
)
FLAGS = st.fixed_dictionaries({name: st.booleans() for name in ("finished", "cancelled", "lists_jobs")})
PROPERTY = settings(max_examples=150, deadline=None)
"""A world takes some 10 ms to draw and settle. A run of 3,000 found no more."""


@st.composite
def jobs_and_rows(draw: st.DrawFn, outcomes: st.SearchStrategy[JobOutcome | None]) -> tuple[Jobs, Stored]:
    """Draw the jobs that a queue has, and which are recorded, as the queue knows them or otherwise."""
    jobs, stored = [], {}
    for number in range(draw(st.integers(0, JOBS_MAX) | st.just(JOBS_MAX))):
        job = QueueJob(f"job-{number}", draw(outcomes), draw(ATTEMPTS))
        jobs.append(job)
        recorded = draw(RECORDED)
        if recorded == "not" or (recorded == "alike" and job.outcome is None):
            continue
        alike = StoredAttempt(job.attempt, job.outcome or JobOutcome.FAILED, draw(SOURCES))
        other = StoredAttempt(draw(ATTEMPTS), draw(OUTCOMES), draw(SOURCES))
        stored[BATCH.batch_key, job.job_id] = alike if recorded == "alike" else other
    return jobs, stored


@st.composite
def honest_worlds(
    draw: st.DrawFn,
    outcomes: st.SearchStrategy[JobOutcome | None] = OUTCOMES_OR_PENDING,
    sealed: st.SearchStrategy[bool] = SEALED,
) -> World:
    """Draw a batch and what a queue that tells the truth says of it."""
    jobs, stored = draw(jobs_and_rows(outcomes))
    results_max = draw(st.sampled_from([2, 2, 3, 10_000]))
    without_rows = draw(COUNTED) if results_max > JOBS_MAX else Tally()
    spare_jobs = draw(st.sampled_from([0, 1, 2, 4, max(0, len(jobs) - len(stored))]))
    batch = batch_of(stored, without_rows, sealed=draw(sealed), spare_jobs=spare_jobs)
    counts = QueueCounts(**counted(jobs), **draw(FLAGS))
    return World(batch, stored, counts, jobs, results_max=results_max)


@st.composite
def lying_worlds(draw: st.DrawFn) -> World:
    """Draw one whose queue tells lies: other counts, other jobs, jobs twice."""
    world = draw(honest_worlds())
    if draw(st.booleans()):
        lies: dict[str, Any] = draw(LIES)
        return replace(world, counts=replace(world.counts, **lies))
    known = [QueueJob("job-unknown", JobOutcome.SUCCEEDED), *world.jobs]
    jobs = draw(st.lists(st.sampled_from(known), max_size=JOBS_MAX))
    counts = replace(world.counts, **counted(jobs)) if draw(st.booleans()) else world.counts
    return replace(world, jobs=jobs, counts=counts)


def counted(jobs: Jobs) -> dict[str, Any]:
    """Return the true counts of jobs."""
    tally = tally_of(job.outcome for job in jobs if job.outcome is not None)
    return {
        "total": len(jobs),
        "succeeded": tally.succeeded,
        "failed": tally.failed,
        "skipped": tally.skipped,
        "pending": len(jobs) - tally.ended,
    }


WORLDS = honest_worlds() | lying_worlds()


@PROPERTY
@given(WORLDS)
def test_a_batch_stays_one(world: World) -> None:
    """After every repair the tallies add up to the total, none is negative, and they equal the rows."""

    async def rule() -> None:
        decision, listing = await world.decide()
        while isinstance(decision, RepairPlan):
            world.carry_out(decision)
            batch = world.batch
            numbers = (batch.tally.succeeded, batch.tally.failed, batch.tally.skipped, batch.pending_jobs)
            assert min(numbers) >= 0
            assert sum(numbers) == batch.total_jobs
            assert world.differences() == []
            if listing is None or not listing.left_out:
                return
            decision, listing = await world.decide(listing)

    asyncio.run(rule())


@PROPERTY
@given(WORLDS)
def test_reports_stay(world: World) -> None:
    """No recorded result is ever removed, and only a higher attempt takes its place."""
    before = dict(world.stored)
    asyncio.run(world.settle())
    for key, attempt in before.items():
        after = world.stored[key]
        assert after == attempt or after.attempt > attempt.attempt


@PROPERTY
@given(WORLDS)
def test_a_plan_records_just_what_it_says(world: World) -> None:
    """Every result of a plan is recorded: the report counts them without asking again."""
    decision, _ = asyncio.run(world.decide())
    if isinstance(decision, RepairPlan):
        verdicts = world.carry_out(decision).verdicts
        assert set(verdicts) <= {Disposition.RECORDED, Disposition.SUPERSEDED_EARLIER}


@PROPERTY
@given(WORLDS)
def test_settled_at_once(world: World) -> None:
    """A second look, right after the first, finds nothing to do."""

    async def rule() -> None:
        await world.settle()
        decision, _ = await world.decide()
        assert isinstance(decision, Leave)

    asyncio.run(rule())


@PROPERTY
@given(WORLDS)
def test_contradictions_write_nothing(world: World) -> None:
    """A queue that contradicts itself changes nothing, not even by the portions before it was noticed."""
    plans, left = asyncio.run(world.settle())
    if left is not None and left.kind is LeaveKind.CONTRADICTION:
        assert plans == []


@PROPERTY
@given(WORLDS)
def test_no_end_while_jobs_are_pending(world: World) -> None:
    """Counts with pending jobs never end a batch that has fewer results than the queue has jobs."""
    assume(world.counts.pending > 0 and not world.batch.has_ended)
    asyncio.run(world.settle())
    if world.batch.has_ended:
        assert world.batch.tally.ended >= world.counts.total


@PROPERTY
@given(honest_worlds(OUTCOMES, sealed=st.sampled_from([True])))
def test_an_honest_queue_ends_its_batch(world: World) -> None:
    """A sealed batch whose jobs all ended in the queue ends with the queue's total, however long the list."""
    assume(not world.batch.has_ended)
    assume(world.jobs and world.batch.unattributed == Tally())
    asyncio.run(world.settle())
    if world.counts.cancelled:
        assert world.batch.state is BatchState.CANCELLED
        assert world.batch.pending_jobs == 0
    else:
        assert world.batch.state is BatchState.COMPLETED
        assert world.batch.total_jobs == world.counts.total


@PROPERTY
@given(honest_worlds(OUTCOMES))
def test_portions_make_no_difference(world: World) -> None:
    """In however small portions a list is recorded, the batch ends as if it were recorded at once."""
    whole = replace(world, results_max=10_000)
    asyncio.run(world.settle())
    asyncio.run(whole.settle())
    assert replace(world.batch, revision=0) == replace(whole.batch, revision=0)
    assert world.stored == whole.stored
