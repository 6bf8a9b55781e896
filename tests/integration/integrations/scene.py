"""Workers started by the queues' own commands, and the state of their batches."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from celery import Celery
from redis import Redis

from batchprogress.v1 import progress_pb2 as pb
from tests.faults.cluster import Cluster
from tests.support.eventually import SECONDS_MAX, eventually
from tests.support.progress import ROOT, Served

JOBS = "tests.integration.integrations.jobs_of_"
"""The prefix of the modules with the jobs of a queue."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A server, a Redis, and a folder for a spool."""

    progress: Served
    redis: Redis
    redis_url: str
    spool: Path
    database_url: str

    @property
    def server(self) -> str:
        """The address of the server."""
        return f"127.0.0.1:{self.progress.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment that the modules with jobs read."""
        return {
            "TEST_REDIS": self.redis_url,
            "TEST_PROGRESS": self.server,
            "TEST_SPOOL": str(self.spool),
        }

    @asynccontextmanager
    async def worker(self, *command: str, **environment: str) -> AsyncIterator["Worker"]:
        """Run `python -m …` in a session of its own, which is killed when the context ends."""
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
        """Run a call in the module with the jobs of a queue, in a process that ends afterwards."""
        async with self.program("-c", f"from {JOBS}{queue} import *; {call}", **environment) as process:
            assert await process.wait() == 0

    async def refuses(self, queue: str, calls: Mapping[str, str]) -> None:
        """Let a program make calls of its `progress`, each of which raises ValueError with certain words."""
        lines = [
            f"try: progress.{call}\nexcept ValueError as error: assert {words!r} in str(error)\nelse: 1/0"
            for call, words in calls.items()
        ]
        await self.enqueue(queue, f"exec({chr(10).join(lines)!r})")

    async def reconcile(self, job_status: str) -> None:
        """Run one pass of the reconciler over all batches, with a job-status service."""
        command = ("-m", "reconciler", "--all")
        async with self.program(
            *command, BATCHES_DATABASE_URL=self.database_url, RECONCILER_JOB_STATUS_TARGET=job_status
        ) as process:
            assert await process.wait() == 0

    @asynccontextmanager
    async def program(self, *arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run Python, which is killed when the context ends."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=ROOT, env={**os.environ, **self.environment, **environment}
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def get(self, batch_id: str) -> pb.Batch:
        """Read a batch; the server may be down meanwhile."""
        request = pb.GetBatchRequest(batch_id=batch_id)
        return (await self.progress.stub.GetBatch(request, wait_for_ready=True)).batch

    async def until(self, batch_id: str, ended_jobs: int) -> pb.Batch:
        """Wait until `ended_jobs` jobs of a batch have a result; the server may be down meanwhile."""

        async def ended() -> pb.Batch | None:
            batch = await self.get(batch_id)
            return batch if batch.total_jobs - batch.pending_jobs >= ended_jobs else None

        batch: pb.Batch = await eventually(ended)
        return batch

    async def until_succeeded(self, batch_id: str, jobs: int) -> None:
        """Wait until `jobs` jobs of a batch have succeeded."""

        async def have_succeeded() -> bool:
            return (await self.get(batch_id)).succeeded_jobs >= jobs

        await eventually(have_succeeded)

    async def celery_results(self, tasks: int) -> None:
        """Wait until Celery's result backend has the results of `tasks` tasks."""
        await eventually(lambda: len(self.redis.keys("celery-task-meta-*")) >= tasks)

    async def as_celery_has_it(self, batch_id: str) -> Counter[str]:
        """Wait until Celery's queue is empty and a batch has Celery's own tallies; return these."""

        async def agreed() -> Counter[str]:
            if self.redis.llen("celery") or self.redis.hlen("unacked"):
                return Counter()
            states, batch = self.celery_states(batch_id), await self.get(batch_id)
            agree = (states["SUCCESS"], states["FAILURE"]) == (batch.succeeded_jobs, batch.failed_jobs)
            return states if agree else Counter()

        states: Counter[str] = await eventually(agreed)
        return states

    async def celery_pool(self) -> set[int]:
        """Wait until Celery's worker answers; return the processes of its pool."""
        inspect = Celery(broker=self.redis_url).control.inspect()
        (worker,) = (await eventually(lambda: asyncio.to_thread(inspect.stats))).values()
        return set(worker["pool"]["processes"])

    def celery_states(self, batch_id: str) -> Counter[str]:
        """Count the states of the tasks that Celery has saved as the group of a batch."""
        backend = Celery(backend=self.redis_url).backend
        return Counter(backend.get_state(task_id) for task_id in self.celery_ids(batch_id))

    def celery_ids(self, batch_id: str) -> list[str]:
        """Return the ids of the tasks that Celery has saved as the group of a batch."""
        # Not by GroupResult: when its results are collected, they wait for a Redis that may be gone by then.
        backend = Celery(backend=self.redis_url).backend
        _, tasks = backend.decode(backend.get(backend.get_key_for_group(batch_id)))["result"]
        return [task_id for (task_id, _), _ in tasks]

    async def completed(self, batch_id: str) -> tuple[int, int, int]:
        """Wait until a batch has completed; return its succeeded, failed and skipped jobs."""

        async def is_completed() -> bool:
            return (await self.until(batch_id, 0)).state == pb.BATCH_STATE_COMPLETED

        await eventually(is_completed)
        batch = await self.until(batch_id, 0)
        return batch.succeeded_jobs, batch.failed_jobs, batch.skipped_jobs

    async def results(self, batch_id: str) -> dict[str, tuple[str, int, str]]:
        """Return the outcome, attempt and error type of each job that has a result."""
        request = pb.ListJobResultsRequest(batch_id=batch_id, page_size=1000)
        response = await self.progress.stub.ListJobResults(request)
        return {
            one.job_id: (pb.JobOutcome.Name(one.outcome)[12:], one.attempt, one.error_type)
            for one in response.job_results
        }

    async def names(self, batch_id: str) -> set[str]:
        """Return the display names of the jobs that have a result."""
        request = pb.ListJobResultsRequest(batch_id=batch_id, page_size=1000)
        response = await self.progress.stub.ListJobResults(request)
        return {one.display_name for one in response.job_results}

    async def details(self, batch_id: str) -> dict[str, str]:
        """Return the error_details of the failed jobs by their error types."""
        request = pb.ListJobResultsRequest(batch_id=batch_id, outcome=pb.JOB_OUTCOME_FAILED)
        found = {}
        for one in (await self.progress.stub.ListJobResults(request)).job_results:
            of_job = pb.GetJobResultRequest(batch_id=batch_id, job_id=one.job_id)
            result = (await self.progress.stub.GetJobResult(of_job)).job_result
            found[result.error_type] = result.error_details
        return found

    async def outcomes(self, batch_id: str) -> list[tuple[str, int, str]]:
        """Return the sorted outcomes, attempts and error types of the jobs that have a result."""
        return sorted((await self.results(batch_id)).values())


@dataclass(frozen=True, slots=True)
class KillableScene(Scene):
    """A scene whose server is a process that a test may kill and start again on the same port."""

    servers: Cluster


class Worker:
    """A worker and the processes that it has started, which share its session."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def processes(self) -> list[int]:
        """Return every process of the session, from /proc."""
        return [
            int(folder.name)
            for folder in Path("/proc").glob("[0-9]*")
            if _session_of(folder) == self._process.pid
        ]

    async def has_processes(self, number: int) -> list[int]:
        """Wait until the worker has started `number` processes; return them."""

        def started() -> list[int]:
            return [one for one in self.processes() if one != self._process.pid]

        await eventually(lambda: len(started()) == number)
        return started()

    async def ended(self) -> None:
        """Wait until it has ended by itself."""
        async with asyncio.timeout(SECONDS_MAX):
            await self._process.wait()

    def kill(self) -> None:
        """Kill all its processes, as a machine without memory may do."""
        for number in self.processes():
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(number, signal.SIGKILL)

    async def end(self) -> None:
        """Send SIGTERM, as an orchestrator does, and wait until no process is left."""
        self._process.terminate()
        async with asyncio.timeout(SECONDS_MAX):
            await self._process.wait()
        await eventually(lambda: not self.processes())


def start_of(process: int) -> tuple[int, int]:
    """Return when a process started, in clock ticks, and its id, which orders those of one tick."""
    stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    return int(stat.rpartition(")")[2].split()[19]), process


def _session_of(folder: Path) -> int:
    try:
        state = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0
    return 0 if state[0] == "Z" else int(state[3])
