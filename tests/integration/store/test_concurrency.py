"""Concurrent operations: every result is counted once, and no error of the database surfaces."""

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import chain, pairwise
from random import Random

import pytest

from batches.batch import Batch, BatchState
from batches.errors import BatchError, ResultConflict
from batches.recording import Recording
from batches.repair import RepairPlan
from batches.result import Disposition, JobOutcome, JobResult
from batches.store.batch_store import BatchStore
from tests.integration.store.steps import RECORDED, ago, create, differences, recorded
from tests.support.samples import WORKER, result, tally_of

BATCH_IDS = ["one", "two", "three", "four"]
JOBS = [f"job-{number:02}" for number in range(60)]
RETRIED_JOBS = JOBS[::2]
RECORDERS = 20
GROUPS = 5
SEEDS = [1, 2]

Groups = list[list[JobResult]]
Ending = Callable[[str, str, int], JobOutcome]


def agreed(batch_id: str, job_id: str, attempt: int) -> JobOutcome:
    """Return the outcome of an attempt, the same for everyone who reports it."""
    return Random(f"{batch_id} {job_id} {attempt}").choice(list(JobOutcome))


def dealt_out(chance: Random, ending: Ending) -> list[Groups]:
    """Return the groups of each recorder: all attempts of all jobs, each twice, in random order."""
    attempts = [
        *((batch_id, job_id, 1) for batch_id in BATCH_IDS for job_id in JOBS),
        *((batch_id, job_id, 2) for batch_id in BATCH_IDS for job_id in RETRIED_JOBS),
    ] * 2
    chance.shuffle(attempts)
    reports = [
        result(job, ending(batch, job, number), attempt=number, batch_id=batch)
        for batch, job, number in attempts
    ]
    groups = [reports[start :: RECORDERS * GROUPS] for start in range(RECORDERS * GROUPS)]
    return [groups[start::RECORDERS] for start in range(RECORDERS)]


async def record_all(stores: list[BatchStore], recorders: list[Groups]) -> list[Recording]:
    """Let all recorders record their groups concurrently, on two replicas."""

    async def record(store: BatchStore, groups: Groups) -> list[Recording]:
        return [await store.record_results(group, WORKER) for group in groups]

    work = [record(stores[number % 2], groups) for number, groups in enumerate(recorders)]
    return list(chain.from_iterable(await asyncio.gather(*work)))


@pytest.mark.parametrize("seed", SEEDS)
async def test_concurrent_results_are_counted_once(
    store: BatchStore, other_store: BatchStore, seed: int
) -> None:
    """Twenty recorders report each attempt twice; the tallies are exactly those of the highest attempts."""
    for batch_id in BATCH_IDS:
        await create(store, len(JOBS), batch_id)
    recordings = await record_all([store, other_store], dealt_out(Random(seed), agreed))
    for batch_id in BATCH_IDS:
        batch = await store.get_batch(batch_id)
        last = {job_id: 2 if job_id in RETRIED_JOBS else 1 for job_id in JOBS}
        assert batch.tally == tally_of(agreed(batch_id, job_id, last[job_id]) for job_id in JOBS)
        assert batch.state is BatchState.COMPLETED
        assert {job_id: row.attempt for job_id, row in (await recorded(store, batch_id)).items()} == last
    verdicts = Counter(verdict for recording in recordings for verdict in recording.verdicts)
    assert verdicts[RECORDED] == len(BATCH_IDS) * len(JOBS)
    assert all(isinstance(verdict, Disposition) for verdict in verdicts)
    assert await differences(store) == []


@pytest.mark.parametrize("seed", SEEDS)
async def test_concurrent_changes_have_consecutive_revisions(
    store: BatchStore, other_store: BatchStore, seed: int
) -> None:
    """Each group that changed a batch has a revision of its own, without gaps."""
    for batch_id in BATCH_IDS:
        await create(store, len(JOBS), batch_id)
    recordings = await record_all([store, other_store], dealt_out(Random(seed), agreed))
    for batch_id in BATCH_IDS:
        changes = [one for recording in recordings for one in recording.changed if one.batch_id == batch_id]
        last = await store.get_batch(batch_id)
        assert sorted(one.revision for one in changes) == list(range(2, last.revision + 1))
        _check_history(sorted(changes, key=lambda one: one.revision))


@pytest.mark.parametrize("seed", SEEDS)
async def test_one_of_conflicting_results_is_recorded(
    store: BatchStore, other_store: BatchStore, seed: int
) -> None:
    """The counters still equal the rows."""
    chance = Random(seed)
    for batch_id in BATCH_IDS:
        await create(store, len(JOBS), batch_id)
    recorders = dealt_out(chance, lambda *_: chance.choice(list(JobOutcome)))
    recordings = await record_all([store, other_store], recorders)
    verdicts = Counter(type(verdict) for recording in recordings for verdict in recording.verdicts)
    assert verdicts.keys() == {Disposition, ResultConflict}
    for batch_id in BATCH_IDS:
        rows = (await recorded(store, batch_id)).values()
        batch = await store.get_batch(batch_id)
        assert batch.tally == tally_of(row.outcome for row in rows)
        assert batch.state is BatchState.COMPLETED
    assert await differences(store) == []


async def test_a_check_during_reports_finds_no_difference(store: BatchStore, other_store: BatchStore) -> None:
    """Each page of the check is a snapshot."""
    for batch_id in BATCH_IDS:
        await create(store, len(JOBS), batch_id)
    recording = asyncio.create_task(record_all([store, other_store], dealt_out(Random(1), agreed)))
    checks = 0
    while not recording.done():
        assert await differences(store) == []
        checks += 1
    await recording
    assert checks > 1


@pytest.mark.parametrize("seed", SEEDS)
async def test_concurrent_operations_fail_only_by_the_rules(
    store: BatchStore, other_store: BatchStore, seed: int
) -> None:
    """No error of the database surfaces, and the counters equal the rows."""
    chance = Random(seed)
    for batch_id in BATCH_IDS:
        await create(store, 20, batch_id, sealed=chance.random() < 0.5, team="sync")
    refusals: list[BatchError] = []

    async def act(one: BatchStore, step: Random) -> None:
        for _ in range(12):
            try:
                await _one_step(one, step)
            except BatchError as error:
                refusals.append(error)

    actors = [(one, Random(chance.random())) for one in [store, other_store] * 8]
    await asyncio.gather(*(act(one, step) for one, step in actors))
    assert await differences(store) == []


async def _one_step(store: BatchStore, chance: Random) -> None:
    """Do one random operation on a batch."""
    batch_id, number = chance.choice(BATCH_IDS), chance.randrange(1_000_000)
    reports = [
        result(
            chance.choice(JOBS), chance.choice(list(JobOutcome)), attempt=chance.randint(1, 3), batch_id=of
        )
        for of in chance.choices(BATCH_IDS, k=6)
    ]
    match chance.choices(
        ["record", "repair", "create", "add", "seal", "cancel", "forget"], [9, 3, 2, 2, 1, 1, 1]
    )[0]:
        case "record":
            await store.record_results(reports, WORKER)
        case "repair":
            batch = await store.get_batch(batch_id)
            found = tuple(one for one in reports if one.batch_id == batch_id)
            await store.write_repair(RepairPlan(batch_id, batch.revision, "reason", found))
        case "create":
            await create(store, 20, batch_id, team="sync")
        case "add":
            await store.add_jobs(batch_id, 3, f"request-{number % 5}")
        case "seal":
            await store.seal_batch(batch_id)
        case "cancel":
            await store.cancel_batch(batch_id)
        case "forget":
            await store.purge_ended(ago(0))
            await store.delete_chunk()


def _check_history(history: list[Batch]) -> None:
    """Check that nothing runs backwards from one revision to the next."""
    for earlier, later in pairwise(history):
        assert later.tally.ended >= earlier.tally.ended
        assert later.last_result_time is not None
        assert earlier.last_result_time is not None
        assert later.last_result_time >= earlier.last_result_time
        assert later.state >= earlier.state
