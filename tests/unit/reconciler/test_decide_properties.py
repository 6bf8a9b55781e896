"""The rules of a batch hold for any answers of a queue, true or false."""

import asyncio
from dataclasses import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from batches.batch import BatchState, Tally
from batches.result import Disposition, JobOutcome, ResultSource, StoredAttempt
from reconciler.decision.decide import PlannedRepair
from reconciler.decision.not_repaired import NotRepaired, NotRepairedReason
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
"""Results without rows. No batch in PROCESSING has any today; only portions rely on that."""
LIES = st.dictionaries(
    st.sampled_from(["total", "succeeded", "failed", "skipped", "pending"]), st.integers(-2, 9), min_size=1
)
FLAGS = st.fixed_dictionaries({name: st.booleans() for name in ("finished", "cancelled", "lists_jobs")})
PROPERTY = settings(max_examples=150, deadline=None)
"""A world takes about 10 ms to draw and repair. A run of 3,000 examples found no more."""


@st.composite
def jobs_and_rows(draw: st.DrawFn, outcomes: st.SearchStrategy[JobOutcome | None]) -> tuple[Jobs, Stored]:
    """Draw the jobs of a queue and which of them are recorded, with the queue's outcome or another."""
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
    """Draw a batch and a queue that tells the truth about it."""
    jobs, stored = draw(jobs_and_rows(outcomes))
    results_max = draw(st.sampled_from([2, 2, 3, 10_000]))
    without_rows = draw(COUNTED) if results_max > JOBS_MAX else Tally()
    spare_jobs = draw(st.sampled_from([0, 1, 2, 4, max(0, len(jobs) - len(stored))]))
    batch = batch_of(stored, without_rows, sealed=draw(sealed), spare_jobs=spare_jobs)
    counts = QueueCounts(**counted(jobs), **draw(FLAGS))
    return World(batch, stored, counts, jobs, results_max=results_max)


@st.composite
def lying_worlds(draw: st.DrawFn) -> World:
    """Draw a batch whose queue lies: wrong counts, unknown jobs, duplicates."""
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
def test_tallies_add_up_after_every_repair(world: World) -> None:
    """No tally is negative, and all equal the rows."""

    async def rule() -> None:
        decision, listing = await world.decide()
        while isinstance(decision, PlannedRepair):
            world.carry_out(decision.plan)
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
def test_only_a_higher_attempt_replaces_a_recorded_result(world: World) -> None:
    """No recorded result is ever removed."""
    before = dict(world.stored)
    asyncio.run(world.repair())
    for key, attempt in before.items():
        after = world.stored[key]
        assert after == attempt or after.attempt > attempt.attempt


@PROPERTY
@given(WORLDS)
def test_every_result_of_a_plan_is_recorded(world: World) -> None:
    """The report counts them without asking again."""
    decision, _ = asyncio.run(world.decide())
    if isinstance(decision, PlannedRepair):
        verdicts = world.carry_out(decision.plan).verdicts
        assert set(verdicts) <= {Disposition.RECORDED, Disposition.SUPERSEDED_EARLIER}


@PROPERTY
@given(WORLDS)
def test_a_second_repair_finds_nothing_to_do(world: World) -> None:
    """One repair does everything that can be done."""

    async def rule() -> None:
        await world.repair()
        decision, _ = await world.decide()
        assert isinstance(decision, NotRepaired)

    asyncio.run(rule())


@PROPERTY
@given(WORLDS)
def test_a_contradiction_writes_nothing(world: World) -> None:
    """The portions that were read before it was noticed are not written either."""
    plans, left = asyncio.run(world.repair())
    if left is not None and left.reason is NotRepairedReason.CONTRADICTION:
        assert plans == []


@PROPERTY
@given(WORLDS)
def test_no_batch_ends_while_jobs_are_pending(world: World) -> None:
    """Unless it has as many results as the queue has jobs."""
    assume(world.counts.pending > 0 and not world.batch.has_ended)
    asyncio.run(world.repair())
    if world.batch.has_ended:
        assert world.batch.tally.ended >= world.counts.total


@PROPERTY
@given(honest_worlds(OUTCOMES, sealed=st.sampled_from([True])))
def test_a_sealed_batch_whose_jobs_have_ended_ends(world: World) -> None:
    """It ends with the queue's total, for lists of any length."""
    assume(not world.batch.has_ended)
    assume(world.jobs and world.batch.unattributed == Tally())
    asyncio.run(world.repair())
    if world.counts.cancelled:
        assert world.batch.state is BatchState.CANCELLED
        assert world.batch.pending_jobs == 0
    else:
        assert world.batch.state is BatchState.COMPLETED
        assert world.batch.total_jobs == world.counts.total


@PROPERTY
@given(honest_worlds(OUTCOMES))
def test_portions_make_no_difference(world: World) -> None:
    """Recording a list in small portions has the same result as recording it at once."""
    whole = replace(world, results_max=10_000)
    asyncio.run(world.repair())
    asyncio.run(whole.repair())
    assert replace(world.batch, revision=0) == replace(whole.batch, revision=0)
    assert world.stored == whole.stored
