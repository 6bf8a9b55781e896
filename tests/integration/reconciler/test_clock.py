"""The database's clock is set back by an hour, and jumps ahead by a year, while servers and passes run."""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import grpc
import pytest
import pytest_asyncio

from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.held_lease import LEASE_SECONDS
from batchprogress.v1 import progress_pb2 as pb
from database_servers import database_server
from database_servers.process_server import ProcessServer
from reconciler.run.sweep import LEASE_NAME
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.fake_clock import FakeClock, fake_clock
from tests.support.not_run import without
from tests.support.progress import Served, progress_process, stub_of
from tests.support.queue_fake import FakeBatch, QueueFake, served
from tests.support.storage import ENGINES, EngineName, ServerDatabases
from tests.support.storage.maker import upgrade

pytestmark = [
    pytest.mark.more("starts a database server with a clock of its own"),
    pytest.mark.parametrize("engine", ENGINES),
]

HOUR, DAY = 3_600.0, 86_400.0
YEAR = 365 * DAY
JOBS_PER_SECOND = 20
SECONDS = 30


@dataclass
class Clocked:
    """A server and passes over a database, all with a clock that the test sets."""

    clock: FakeClock
    progress: Served
    scene: Scene
    reported: int = 0

    async def report(self, number: int, batch_id: str = "moving") -> None:
        """Report the next jobs of a batch."""
        ids = range(self.reported, self.reported + number)
        self.reported += number
        results = [
            pb.ReportJobResultRequest(
                batch_id=batch_id, job_id=f"job-{job:05}", outcome=pb.JOB_OUTCOME_SUCCEEDED
            )
            for job in ids
        ]
        await self.progress.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))

    async def report_steadily(self, begin: float) -> None:
        """Let half a minute pass by the clock, with the same number of results in each second."""
        for second in range(SECONDS):
            self.clock.set(begin + second)
            await self.report(JOBS_PER_SECOND)

    async def run_pass(self, *arguments: str, **settings: str) -> "dict[str, object]":
        """Run a pass; return its summary."""
        environment = self.clock.environment | settings
        finished = await self.scene.run_process(*arguments, **environment)
        assert finished.code == 0, finished
        return dict(finished.summary)


@pytest.fixture
def clock(tmp_path: Path) -> FakeClock:
    """Return a clock that begins with the real time."""
    return fake_clock(tmp_path)


@pytest.fixture
def url(engine: EngineName, clock: FakeClock, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a database that has the clock."""
    if engine == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/t.db"
        return
    server = database_server(engine, own=True)
    if not isinstance(server, ProcessServer):
        without("a database server in a container has no clock of its own")
    with patch.dict(os.environ, clock.environment):
        server.start()
    try:
        with ServerDatabases(server).without_tables() as url:
            yield url
    finally:
        server.stop()


@pytest_asyncio.fixture
async def clocked(engine: EngineName, clock: FakeClock, url: str) -> AsyncIterator[Clocked]:
    """Serve on the database; on SQLite, the clock is that of the processes that use it."""
    await upgrade(url)
    queue = QueueFake()
    database = Database(url, connections_max=2)
    environment = clock.environment if engine == "sqlite" else {}
    async with (
        served(queue) as target,
        progress_process(url, **environment) as process,
        grpc.aio.insecure_channel(process.target) as channel,
    ):
        scene = Scene(url, database, BatchStore(database), queue, target)
        yield Clocked(clock, Served(process.port, channel, stub_of(channel)), scene)
    await database.close()


async def test_rates_stalls_and_passes_survive_a_clock_that_is_set_back(clocked: Clocked) -> None:
    """A killed pass had the lease, one batch moves on, and one has had no result since."""
    progress, scene = clocked.progress, clocked.scene
    await progress.create("silent", 3)
    await progress.report("silent", "job-00000")
    scene.queue.batches["silent"] = FakeBatch(jobs(3))
    await progress.create("moving", 1_000_000)
    await clocked.report_steadily(0)
    assert (await progress.get("moving")).jobs_per_second == pytest.approx(JOBS_PER_SECOND, rel=0.2)
    await scene.store.acquire_lease(LEASE_NAME, "a killed pass", LEASE_SECONDS)

    await clocked.report_steadily(-HOUR)
    moving, silent = await progress.get("moving"), await progress.get("silent")
    assert moving.jobs_per_second == pytest.approx(JOBS_PER_SECOND, rel=0.2)
    assert moving.stall_reason == ""
    assert moving.last_result_time.ToDatetime() < silent.last_result_time.ToDatetime()
    assert silent.stall_reason.startswith("no result since the database's clock was set back; 2 of 3 jobs")

    summary = await clocked.run_pass(RECONCILER_STUCK_AFTER="300")
    assert (summary["lease_held_elsewhere"], summary["looked_at"], summary["completed"]) == (False, 1, 1)
    assert (await progress.get("silent")).state == pb.BATCH_STATE_COMPLETED


async def test_a_clock_that_jumps_ahead_by_a_year_deletes_nothing(clocked: Clocked) -> None:
    """The batch ended yesterday. A person who knows that the clock is right says so."""
    progress, clock = clocked.progress, clocked.clock
    clock.set(-DAY)
    await progress.create("yesterday", 0)
    clock.set(0)
    assert (await clocked.run_pass())["batches_deleted"] == 0

    for later in (0.0, HOUR, DAY):
        clock.set(YEAR + later)
        summary = await clocked.run_pass()
        assert summary["batches_deleted"] == 0
        assert summary["clock_jump_seconds"] == pytest.approx(YEAR, abs=DAY)
    assert (await progress.get("yesterday")).state == pb.BATCH_STATE_COMPLETED

    assert (await clocked.run_pass("--trust-clock"))["batches_deleted"] == 1
