"""Two servers report, complete and watch the same batch."""

import asyncio
from collections import Counter
from itertools import pairwise

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.progress.test_watching_many import watching
from tests.support.progress import Served, served

SECONDS_MAX = 20
"""How long a watch may take until its end; far longer than it takes."""
BATCHES = 20
"""The number of completions that are raced for."""
JOBS = 3


async def states(server: Served, batch_id: str) -> list[pb.Batch]:
    """Watch a batch to the end of the stream."""
    async with asyncio.timeout(SECONDS_MAX):
        watch = server.stub.WatchBatch(pb.WatchBatchRequest(batch_id=batch_id))
        return [message.batch async for message in watch]


async def race(servers: tuple[Served, Served], batch_id: str) -> list[pb.ReportJobResultResponse]:
    """Report every job of the batch to both servers, all at once."""
    reports = [server.report(batch_id, f"j{job}") for job in range(JOBS) for server in servers]
    return list(await asyncio.gather(*reports))


def assert_one_history(seen: list[pb.Batch], ended: pb.Batch) -> None:
    """Fail unless a watcher saw rising states of the batch, and its final state last."""
    assert all(one.revision < other.revision for one, other in pairwise(seen))
    assert all(one.succeeded_jobs <= other.succeeded_jobs for one, other in pairwise(seen))
    assert [one.state for one in seen[:-1]] == [pb.BATCH_STATE_PROCESSING] * (len(seen) - 1)
    last = seen[-1]
    assert (last.state, last.revision, last.complete_time) == (
        pb.BATCH_STATE_COMPLETED,
        ended.revision,
        ended.complete_time,
    )


async def test_last_reports_may_race_on_two_servers(progress: Served, database_url: str) -> None:
    """Each job counts once, one change completes the batch, and watches on both servers end with it."""
    async with served(database_url) as other:
        batch_ids = [f"b{number}" for number in range(BATCHES)]
        for batch_id in batch_ids:
            await progress.create(batch_id, JOBS)
        watching = {
            batch_id: [asyncio.create_task(states(server, batch_id)) for server in (progress, other)]
            for batch_id in batch_ids
        }
        answers = await asyncio.gather(*(race((progress, other), batch_id) for batch_id in batch_ids))
        for batch_id, answered in zip(batch_ids, answers, strict=True):
            dispositions = Counter(one.disposition for one in answered)
            assert dispositions == {pb.DISPOSITION_RECORDED: JOBS, pb.DISPOSITION_DUPLICATE: JOBS}
            ended = await other.get(batch_id)
            assert (ended.state, ended.succeeded_jobs, ended.pending_jobs) == (
                pb.BATCH_STATE_COMPLETED,
                JOBS,
                0,
            )
            completing = {one.revision for one in answered if one.batch_state == pb.BATCH_STATE_COMPLETED}
            assert completing == {ended.revision}
            for seen in await asyncio.gather(*watching[batch_id]):
                assert_one_history(seen, ended)


async def test_two_last_jobs_may_end_on_two_servers(progress: Served, database_url: str) -> None:
    """The batch is complete for both watchers, whichever server records the last job."""
    async with served(database_url) as other:
        servers = (progress, other)
        await progress.create("b", 2)
        watching = [asyncio.create_task(states(server, "b")) for server in servers]
        answered = await asyncio.gather(*(one.report("b", f"j{job}") for job, one in enumerate(servers)))
        assert sorted((one.batch_state, one.revision) for one in answered) == [
            (pb.BATCH_STATE_PROCESSING, 2),
            (pb.BATCH_STATE_COMPLETED, 3),
        ]
        ended = await progress.get("b")
        for seen in await asyncio.gather(*watching):
            assert_one_history(seen, ended)


async def test_watch_of_many_goes_on_at_another_server(database_url: str) -> None:
    """It sees what happened through either server, and the end that came in between."""
    async with served(database_url) as one, served(database_url) as other:
        for batch_id in ("a", "b"):
            await one.create(batch_id, 1)
        async with watching(one) as watch:
            await watch.first()
            await other.report("a", "j")
            assert (await watch.batch()).state == pb.BATCH_STATE_COMPLETED
            await other.create("c", 1)
            assert (await watch.batch()).batch_id == "c"
        await one.report("b", "j")
        async with watching(other, resume_token=watch.token) as resumed:
            first = {batch.batch_id: batch.state for batch in await resumed.first()}
            assert first["b"] == pb.BATCH_STATE_COMPLETED
            assert first["c"] == pb.BATCH_STATE_PROCESSING
