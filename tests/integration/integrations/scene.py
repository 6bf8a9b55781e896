"""Workers as the queues' own commands start them, and what their batches came to."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from celery import Celery
from celery.result import GroupResult
from redis import Redis

from batchprogress.v1 import progress_pb2 as pb
from tests.faults.cluster import Cluster
from tests.support.progress import ROOT, Served

SECONDS_MAX = 60.0
"""Who waits so long waits for what will not come."""
LOOK_SECONDS = 0.05
JOBS = "tests.integration.integrations.jobs_of_"
"""The module of a queue's jobs begins so."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A server, a Redis, and a folder for what is unsent."""

    progress: Served
    redis: Redis
    redis_url: str
    spool: Path
    database_url: str

    @property
    def server(self) -> str:
        """host:port of the server."""
        return f"127.0.0.1:{self.progress.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What the modules of jobs read."""
        return {
            "TEST_REDIS": self.redis_url,
            "TEST_PROGRESS": self.server,
            "TEST_SPOOL": str(self.spool),
        }

    @asynccontextmanager
    async def worker(self, *command: str, **environment: str) -> AsyncIterator["Worker"]:
        """Run `python -m …` in a session of its own while the context is open; it is then killed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *command,
            cwd=ROOT,
            env={**os.environ, **self.environment, **environment},
            start_new_session=True,
        )
        worker = Worker(process)
        try:
            yield worker
        finally:
            worker.kill()
            await process.wait()

    async def enqueue(self, queue: str, call: str, **environment: str) -> None:
        """Run a call of a queue's module of jobs in a process of its own, as a program that enqueues does."""
        async with self.program("-c", f"from {JOBS}{queue} import *; {call}", **environment) as process:
            assert await process.wait() == 0

    async def reconcile(self, job_status: str) -> None:
        """Run a pass over all batches, as the CronJob does, with the truth of a job-status service."""
        command = ("-m", "reconciler", "--all")
        async with self.program(
            *command, BATCHES_DATABASE_URL=self.database_url, RECONCILER_JOB_STATUS_TARGET=job_status
        ) as process:
            assert await process.wait() == 0

    @asynccontextmanager
    async def program(self, *arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run Python while the context is open."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=ROOT, env={**os.environ, **self.environment, **environment}
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def until(self, batch_id: str, ended_jobs: int) -> pb.Batch:
        """Wait until so many jobs of a batch have a result; the server may be away meanwhile."""
        request = pb.GetBatchRequest(batch_id=batch_id)
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                batch = (await self.progress.stub.GetBatch(request, wait_for_ready=True)).batch
                if batch.total_jobs - batch.pending_jobs >= ended_jobs:
                    return batch
                await asyncio.sleep(LOOK_SECONDS)

    async def until_succeeded(self, batch_id: str, jobs: int) -> None:
        """Wait until so many jobs of a batch have succeeded."""
        async with asyncio.timeout(SECONDS_MAX):
            while (await self.progress.get(batch_id)).succeeded_jobs < jobs:  # noqa: ASYNC110  # none here
                await asyncio.sleep(LOOK_SECONDS)

    async def celery_results(self, tasks: int) -> None:
        """Wait until Celery's own backend knows how so many tasks ended."""
        async with asyncio.timeout(SECONDS_MAX):
            while len(self.redis.keys("celery-task-meta-*")) < tasks:  # noqa: ASYNC110  # Redis tells nobody
                await asyncio.sleep(LOOK_SECONDS)

    async def as_celery_has_it(self, batch_id: str) -> Counter[str]:
        """Wait until Celery's queue is empty and a batch's tallies are Celery's own; return these."""
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                if not self.redis.llen("celery") and not self.redis.hlen("unacked"):
                    states, batch = self.celery_states(batch_id), await self.progress.get(batch_id)
                    if (states["SUCCESS"], states["FAILURE"]) == (batch.succeeded_jobs, batch.failed_jobs):
                        return states
                await asyncio.sleep(LOOK_SECONDS)

    async def celery_pool(self) -> set[int]:
        """Wait until Celery's worker answers; return the processes that its pool says it has."""
        control = Celery(broker=self.redis_url).control
        async with asyncio.timeout(SECONDS_MAX):
            while not (stats := await asyncio.to_thread(control.inspect().stats)):  # as above
                pass
        (worker,) = stats.values()
        return set(worker["pool"]["processes"])

    def celery_states(self, batch_id: str) -> Counter[str]:
        """Count the states of the tasks that Celery has saved as a group of the batch's id."""
        app = Celery(broker=self.redis_url, backend=self.redis_url)
        group = GroupResult.restore(batch_id, app=app)
        assert group is not None
        return Counter(result.state for result in group.results)

    async def completed(self, batch_id: str) -> tuple[int, int, int]:
        """Wait until a batch has COMPLETED; return how many jobs succeeded, failed and were skipped."""
        async with asyncio.timeout(SECONDS_MAX):
            while (batch := await self.until(batch_id, 0)).state != pb.BATCH_STATE_COMPLETED:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)
        return batch.succeeded_jobs, batch.failed_jobs, batch.skipped_jobs

    async def results(self, batch_id: str) -> dict[str, tuple[str, int, str]]:
        """Return the outcome, the attempt and the kind of error of each job that has a result."""
        request = pb.ListJobResultsRequest(batch_id=batch_id, page_size=1000)
        response = await self.progress.stub.ListJobResults(request)
        return {
            one.job_id: (pb.JobOutcome.Name(one.outcome)[12:], one.attempt, one.error_type)
            for one in response.job_results
        }

    async def kinds(self, batch_id: str) -> list[tuple[str, int, str]]:
        """Return what `results` has, in order, without the jobs' ids."""
        return sorted((await self.results(batch_id)).values())


@dataclass(frozen=True, slots=True)
class KillableScene(Scene):
    """One whose server is a process, that may be ended and started again on its port."""

    servers: Cluster


class Worker:
    """A worker and the processes it has made, which share its session."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Take its first process."""
        self._process = process

    def processes(self) -> list[int]:
        """Return every process of its session, from /proc."""
        return [
            int(folder.name)
            for folder in Path("/proc").glob("[0-9]*")
            if _session_of(folder) == self._process.pid
        ]

    async def has_processes(self, number: int) -> list[int]:
        """Wait until it has made so many processes besides its first; return these."""
        async with asyncio.timeout(SECONDS_MAX):
            while len(made := [one for one in self.processes() if one != self._process.pid]) != number:  # noqa: ASYNC110  # they are not our children
                await asyncio.sleep(LOOK_SECONDS)
        return made

    def kill(self) -> None:
        """Kill all of it at once, as a machine that runs out of memory may."""
        for number in self.processes():
            os.kill(number, signal.SIGKILL)

    async def end(self) -> None:
        """Tell it to end, as an orchestrator does, and wait until nothing of it is left."""
        self._process.terminate()
        async with asyncio.timeout(SECONDS_MAX):
            await self._process.wait()
            while self.processes():  # noqa: ASYNC110  # they are not our children
                await asyncio.sleep(LOOK_SECONDS)


def began(process: int) -> tuple[int, int]:
    """Return when a process began, in ticks since the machine did; of two in one tick the ids decide."""
    stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    return int(stat.rpartition(")")[2].split()[19]), process


def _session_of(folder: Path) -> int:
    try:
        state = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0
    return 0 if state[0] == "Z" else int(state[3])
