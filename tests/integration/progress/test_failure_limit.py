"""A failure limit: what creators, workers and watchers are answered."""

import asyncio
from collections import Counter
from random import Random

import grpc
import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.support.answers import answered
from tests.support.progress import Served, served

WORKERS = 1_000
JOBS_PER_WORKER = 2
FAILED_SHARE = 0.1
LIMIT = 50
SECONDS_MAX = 60
"""How long 2,000 reports may take; far longer than they do."""
STATES = pb.BATCH_STATE_PROCESSING, pb.BATCH_STATE_CANCELLED


async def create(server: Served, total_jobs: int, **limit: int) -> pb.Batch:
    """Create a batch with a failure limit."""
    request = pb.CreateBatchRequest(
        batch_id="b", total_jobs=total_jobs, failure_limit=pb.FailureLimit(**limit)
    )
    return (await server.stub.CreateBatch(request)).batch


async def test_worker_learns_from_its_answer_that_the_limit_is_exceeded(progress: Served) -> None:
    """GetBatch, ListBatches and WatchBatch show the limit and the reason."""
    created = await create(progress, 3, jobs=1)
    assert (created.failure_limit.jobs, created.cancel_reason) == (1, pb.CANCEL_REASON_UNSPECIFIED)
    first = await progress.report("b", "1", pb.JOB_OUTCOME_FAILED)
    second = await progress.report("b", "2", pb.JOB_OUTCOME_FAILED)
    assert (first.batch_state, second.batch_state) == STATES
    shown = [
        await progress.get("b"),
        (await progress.stub.ListBatches(pb.ListBatchesRequest())).batches[0],
        *[one.batch async for one in progress.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b"))],
    ]
    for batch in shown:
        assert (batch.state, batch.cancel_reason) == (
            pb.BATCH_STATE_CANCELLED,
            pb.CANCEL_REASON_FAILURE_LIMIT,
        )
        assert (batch.failure_limit.jobs, batch.failed_jobs, batch.pending_jobs) == (1, 2, 1)
    late = await progress.report("b", "3")
    assert (late.disposition, late.batch_state) == (pb.DISPOSITION_RECORDED, pb.BATCH_STATE_CANCELLED)


async def test_batch_without_a_limit_shows_none(progress: Served) -> None:
    assert not (await progress.create("b", 1)).HasField("failure_limit")


async def test_creation_with_another_limit_is_a_conflict(progress: Served) -> None:
    """The same limit again returns the batch."""
    await create(progress, 3, percent=5)
    assert (await create(progress, 3, percent=5)).failure_limit.percent == 5
    for again in (create(progress, 3, jobs=5), progress.create("b", 3)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await again
        assert answered(caught.value).reason == "BATCH_CONFLICT"


async def report_jobs(server: Served, worker: int, chance: Random) -> list[tuple[bool, int, int]]:
    """Report the jobs of a worker one after the other; return whether each failed, and its answer."""
    answers = []
    for job in range(JOBS_PER_WORKER):
        fails = chance.random() < FAILED_SHARE
        outcome = pb.JOB_OUTCOME_FAILED if fails else pb.JOB_OUTCOME_SUCCEEDED
        answer = await server.report("b", f"{worker}-{job}", outcome)
        assert answer.disposition == pb.DISPOSITION_RECORDED
        answers.append((fails, answer.revision, int(answer.batch_state)))
    return answers


@pytest.mark.more("2,000 reports take 2 s")
async def test_state_changes_at_the_first_failure_over_the_limit(progress: Served, database_url: str) -> None:
    """1,000 workers report to two servers: the change that records failure 51 cancels, and none before."""
    seed = Random().randrange(2**32)
    print("seed", seed)
    chance = Random(seed)
    await create(progress, WORKERS * JOBS_PER_WORKER, jobs=LIMIT)
    async with served(database_url) as other, asyncio.timeout(SECONDS_MAX):
        work = [report_jobs((progress, other)[one % 2], one, chance) for one in range(WORKERS)]
        answers = [answer for worker in await asyncio.gather(*work) for answer in worker]
    failed_in = Counter[int]()
    state_at: dict[int, set[int]] = {}
    for fails, revision, state in answers:
        failed_in[revision] += fails
        state_at.setdefault(revision, set()).add(state)
    failed = 0
    for revision in sorted(state_at):
        failed += failed_in[revision]
        assert state_at[revision] == {STATES[failed > LIMIT]}, (revision, failed)
    assert failed > LIMIT
    batch = await progress.get("b")
    assert (batch.cancel_reason, batch.failed_jobs, batch.pending_jobs) == (
        pb.CANCEL_REASON_FAILURE_LIMIT,
        failed,
        0,
    )
