"""1,037 concurrent workers, each job reported twice, and 200 watchers."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import grpc
import pytest_asyncio
from sqlalchemy import func, select

from batches.store import schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from tests.support.progress import Stub, progress_process, stub_of

JOBS = 1_037
WATCHERS = 200
CALL_SECONDS_MAX = 60
SEED_MAX = 2**32
CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)
"""A connection per channel, as separate worker processes have."""
WORKERS_PER_CHANNEL = 100


@dataclass(slots=True)
class Watcher:
    """The messages of one watcher, and when they arrived."""

    batches: list[pb.Batch] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    async def watch(self, stub: Stub, *, reconnect_after: int | None = None) -> None:
        """Watch to the end; with `reconnect_after`, leave once after this many messages and resume."""
        after_revision = 0
        while True:
            call = stub.WatchBatch(pb.WatchBatchRequest(batch_id="b", after_revision=after_revision))
            async for message in call:
                self.batches.append(message.batch)
                self.times.append(time.monotonic())
                after_revision = message.batch.revision
                if len(self.batches) == reconnect_after:
                    break
            else:
                return
            call.cancel()
            reconnect_after = None


@pytest_asyncio.fixture
async def servers(database_url: str) -> AsyncIterator[list[str]]:
    """Run two server processes on one database, or one on SQLite, which has a single writer."""
    number = 1 if database_url.startswith("sqlite") else 2
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(progress_process(database_url)) for _ in range(number)]
        yield [process.target for process in processes]


async def report_all(targets: list[str], reports: list[int], reported: Counter[str]) -> Counter[str]:
    """Send all reports at the same time, each by its own worker; count reports and answers."""
    async with AsyncExitStack() as stack:
        stubs = [
            stub_of(
                await stack.enter_async_context(
                    grpc.aio.insecure_channel(targets[number % len(targets)], options=CHANNEL_OPTIONS)
                )
            )
            for number in range(len(reports) // WORKERS_PER_CHANNEL + 1)
        ]

        async def work(place: int, job: int) -> str:
            request = pb.ReportJobResultRequest(
                batch_id="b", job_id=f"job-{job}", outcome=pb.JOB_OUTCOME_SUCCEEDED
            )
            reported["sent"] += 1
            try:
                response = await stubs[place % len(stubs)].ReportJobResult(request, timeout=CALL_SECONDS_MAX)
            except grpc.aio.AioRpcError as error:
                return error.code().name
            return pb.Disposition.Name(response.disposition)

        return Counter(await asyncio.gather(*(work(place, job) for place, job in enumerate(reports))))


def assert_true_and_rising(watcher: Watcher) -> None:
    """Check that revisions rise, counts never fall and add up, and 100 % comes only at the end."""
    revisions = [batch.revision for batch in watcher.batches]
    assert revisions == sorted(set(revisions))
    done = [batch.succeeded_jobs for batch in watcher.batches]
    assert done == sorted(done)
    for batch in watcher.batches:
        assert batch.succeeded_jobs + batch.pending_jobs == batch.total_jobs == JOBS
        assert (batch.percent_complete == 100) == (batch.pending_jobs == 0)
    assert watcher.batches[-1].state == pb.BATCH_STATE_COMPLETED


async def test_every_job_reported_twice_is_counted_once(
    servers: list[str], database_url: str, figures: Callable[[str], None]
) -> None:
    """Reports in random order to all servers are all answered, and rows, counts and watchers are exact."""
    seed = random.randrange(SEED_MAX)
    print(f"seed {seed}")  # shown if the test fails
    order = random.Random(seed)
    reports = [job for job in range(JOBS) for _ in range(2)]
    order.shuffle(reports)
    watchers = [Watcher() for _ in range(WATCHERS)]
    reported: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        stubs = [
            stub_of(await stack.enter_async_context(grpc.aio.insecure_channel(target))) for target in servers
        ]
        await stubs[0].CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=JOBS))
        watching = [
            asyncio.create_task(
                watcher.watch(stubs[number % len(stubs)], reconnect_after=order.choice([None, 1, 2, 3]))
            )
            for number, watcher in enumerate(watchers)
        ]
        began = time.monotonic()
        answers = await report_all(servers, reports, reported)
        last_answer = time.monotonic()
        async with asyncio.timeout(CALL_SECONDS_MAX):
            await asyncio.gather(*watching)
    assert answers == {"DISPOSITION_RECORDED": JOBS, "DISPOSITION_DUPLICATE": JOBS}
    for watcher in watchers:
        assert_true_and_rising(watcher)
    await assert_rows_equal_tallies(database_url)
    lag = max(watcher.times[-1] for watcher in watchers) - last_answer
    figures(
        f"{len(servers)} server(s), {len(reports):,} reports by as many workers in"
        f" {last_answer - began:.2f} s; the last of {WATCHERS} watchers saw the end {max(lag, 0):.3f} s later"
    )


async def test_watcher_sees_results_reported_to_another_server(
    servers: list[str], figures: Callable[[str], None]
) -> None:
    """Each result that is reported to one server reaches a watcher at the other."""
    jobs = 20
    async with AsyncExitStack() as stack:
        stubs = [
            stub_of(await stack.enter_async_context(grpc.aio.insecure_channel(target))) for target in servers
        ]
        await stubs[0].CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=jobs))
        call = stubs[-1].WatchBatch(pb.WatchBatchRequest(batch_id="b"))
        await call.read()
        lags = []
        for job in range(jobs):
            await stubs[0].ReportJobResult(
                pb.ReportJobResultRequest(batch_id="b", job_id=f"job-{job}", outcome=pb.JOB_OUTCOME_SUCCEEDED)
            )
            answered = time.monotonic()
            async with asyncio.timeout(CALL_SECONDS_MAX):
                message = await call.read()
            lags.append(time.monotonic() - answered)
            assert isinstance(message, pb.WatchBatchResponse)
            assert message.batch.succeeded_jobs == job + 1
    figures(f"a watcher at the other server sees each of {jobs} changes within {max(lags):.3f} s")


async def assert_rows_equal_tallies(database_url: str) -> None:
    """Check that there is one row per job, and that all counters equal the rows."""
    database = Database(database_url, connections_max=2)
    try:
        rows = await database.read(
            lambda connection: connection.scalar(select(func.count()).select_from(schema.job_results))
        )
        assert rows == JOBS
        assert [page.differences async for page in BatchStore(database).check()] == [[]]
    finally:
        await database.close()
