"""The story: a batch sticks at 99 %, and is brought to its end by asking the queue."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from batchprogress.v1 import progress_pb2 as pb
from demo.job_queue import count_ended, create_queue
from demo.plan import FAILED_JOBS, KILLED_WORKERS, WORKER_PROCESSES, Plan
from demo.processes import Processes, StoryError, killed
from demo.progress import Progress, open_channel, progress_on
from demo.screen import Screen
from demo.servers import Server, start_server
from demo.watch import Watch, done, watching

STORY_SECONDS_MAX = 240
"""Twice the longest work that may be asked for. It bounds all that has no limit of its own: a call to a
server that hangs, a program that does not end."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers and how to reach them."""

    all: tuple[Server, ...]
    progress: str
    job_status: str
    dashboard: str = ""
    """Of the page; empty if nobody is there to look at it."""

    async def stop(self) -> None:
        """Stop all; StoryError if one does not end well."""
        await asyncio.gather(*(server.stop() for server in self.all))


class Story:
    """The acts, in their order in this file. Each raises StoryError if it comes out otherwise."""

    def __init__(self, plan: Plan, folder: Path, processes: Processes, screen: Screen) -> None:
        """Take a temporary folder, what starts processes, and where to tell it."""
        self._plan = plan
        self._processes = processes
        self._screen = screen
        self._queue_file = folder / "queue.db"
        self._database = {"BATCHES_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'batches.db'}"}
        self._queue = {"JOB_STATUS_DATABASE_URL": f"sqlite+aiosqlite:///{self._queue_file}"}

    async def tell(self, *, keep: bool) -> None:
        """Tell it from the first act to the last; with keep, the servers then run until Ctrl-C."""
        try:
            async with asyncio.timeout(STORY_SECONDS_MAX):
                servers = await self._tell_acts(keep=keep)
        except TimeoutError:
            raise StoryError(f"it is not at its end after {STORY_SECONDS_MAX} s") from None
        if keep:
            await self._keep(servers)
        await servers.stop()

    async def _tell_acts(self, *, keep: bool) -> Servers:
        began = time.monotonic()
        servers = await self._start_servers()
        if keep:
            servers = await self._start_dashboard(servers)
        async with self._batch(servers.progress) as (progress, watch):
            await self._work(servers.progress, watch)
            self._tell_why_it_is_stuck(watch.batch)
            await self._reconcile(servers.job_status, progress, watch)
            await self._complete(watch)
            await self._check()
            await self._sum_up(progress, watch, time.monotonic() - began)
        return servers

    async def _start_servers(self) -> Servers:
        self._screen.title(
            f"{len(self._plan.jobs):,} jobs, a worker for each."
            f" {KILLED_WORKERS} workers will be killed before they report."
        )
        self._screen.doing("starting two servers")
        create_queue(self._queue_file, self._plan)
        source = {"JOB_STATUS_SOURCE": "job_table", **self._queue}
        both = (
            await start_server(self._processes, "services.progress", "PROGRESS_", self._database),
            await start_server(self._processes, "services.job_status", "JOB_STATUS_", source),
        )
        progress, job_status = await asyncio.gather(*(server.ready() for server in both))
        self._screen.tell(f"The servers are ready: progress {progress}, job status {job_status}.")
        return Servers(both, progress, job_status)

    async def _start_dashboard(self, servers: Servers) -> Servers:
        """Let the user look on from the beginning."""
        target = {"DASHBOARD_PROGRESS_TARGET": servers.progress}
        dashboard = await start_server(self._processes, "services.dashboard", "DASHBOARD_", target)
        page = f"http://{await dashboard.address()}/"
        self._screen.tell(f"The dashboard shows it: {page}")
        return replace(servers, all=(*servers.all, dashboard), dashboard=page)

    @asynccontextmanager
    async def _batch(self, target: str) -> AsyncIterator[tuple[Progress, Watch]]:
        """Create the batch and watch it while the context is open."""
        async with open_channel(target) as channel:
            progress = progress_on(channel)
            request = pb.CreateBatchRequest(batch_id=self._plan.batch_id, total_jobs=len(self._plan.jobs))
            await progress.CreateBatch(request)
            async with watching(progress, self._plan.batch_id, self._screen.show) as watch:
                await watch.until(lambda batch: batch.total_jobs > 0)
                self._screen.tell(f"The batch {self._plan.batch_id} is created, and watched by one stream.")
                yield progress, watch

    async def _work(self, target: str, watch: Watch) -> None:
        """Run every worker to its end."""
        self._screen.doing(
            f"{len(self._plan.jobs):,} workers at once, {self._plan.reported:,} of them in"
            f" {WORKER_PROCESSES} processes, {KILLED_WORKERS} in one each"
        )
        assignments = self._plan.assignments(target, self._queue_file)
        running = (self._processes.run("demo.worker", given=one.to_json()) for one in assignments)
        ended = await asyncio.gather(*running)
        well = sum(one.exit_code == 0 for one in ended)
        _expect(well == WORKER_PROCESSES, "a worker process failed")
        _expect(sum(map(killed, ended)) == KILLED_WORKERS, "not every worker to be killed was")
        await watch.until(lambda batch: done(batch) == self._plan.reported)
        self._screen.tell(f"{self._plan.reported:,} workers reported.")

    def _tell_why_it_is_stuck(self, batch: pb.Batch) -> None:
        ended = count_ended(self._queue_file)
        _expect(ended == len(self._plan.jobs), f"the queue counts {ended:,} ended jobs")
        self._screen.tell(
            f"Stuck at {done(batch)}/{batch.total_jobs}, {batch.percent_complete} %: {KILLED_WORKERS} workers"
            " were killed (SIGKILL) after their job had ended and before they said so. Nobody is left to"
            f" report; only the queue knows that all {ended:,} jobs have ended.",
            mark="✗",
            style="yellow",
        )

    async def _reconcile(self, job_status: str, progress: Progress, watch: Watch) -> None:
        """Let the reconciler say what it would do, then do it."""
        stuck = watch.batch
        await self._run_reconciler(job_status, "--all", "--dry-run")
        now = await progress.GetBatch(pb.GetBatchRequest(batch_id=self._plan.batch_id))
        _expect(now.batch.revision == stuck.revision, "the dry run changed the batch")
        await self._run_reconciler(job_status, "--all")
        answer = await progress.ListRepairs(pb.ListRepairsRequest(batch_id=self._plan.batch_id))
        _expect(len(answer.repairs) == 1, f"{len(answer.repairs)} repairs were kept")
        self._screen.repaired(answer.repairs[0])

    async def _run_reconciler(self, job_status: str, *options: str) -> None:
        command = " ".join(("python -m reconciler", *options))
        self._screen.doing(command)
        settings = {**self._database, "RECONCILER_JOB_STATUS_TARGET": job_status}
        ended = await self._processes.run("reconciler", *options, settings=settings)
        _expect(ended.exit_code == 0, f"{command} ended with exit code {ended.exit_code}")
        # The last line says for machines what the one before it says for people.
        *_, sentence, record = ended.output.splitlines()
        self._screen.tell(f"{command}:")
        self._screen.quote(sentence)
        recorded = json.loads(record)["results_recorded"]
        _expect(recorded == KILLED_WORKERS, f"{command} found {recorded} results")

    async def _complete(self, watch: Watch) -> None:
        self._screen.doing("waiting for the stream to end by itself")
        batch = await watch.until(lambda batch: batch.state != pb.BATCH_STATE_PROCESSING)
        _expect(batch.state == pb.BATCH_STATE_COMPLETED, "the batch did not complete")
        _expect(await watch.ended_well(), "the watch did not end with OK")
        self._screen.tell(
            f"The same stream says {done(batch)}/{batch.total_jobs}, {batch.percent_complete} %, COMPLETED,"
            " and has ended by itself (OK)."
        )

    async def _check(self) -> None:
        self._screen.doing("python -m batches check")
        ended = await self._processes.run("batches", "check", settings=self._database)
        self._screen.tell(f"python -m batches check: {ended.output.strip()}.")
        _expect(ended.exit_code == 0, "the counters differ from the rows")

    async def _sum_up(self, progress: Progress, watch: Watch, seconds: float) -> None:
        batch = watch.batch
        reported = done(batch) - batch.reconciled_jobs
        _expect(reported == self._plan.reported, f"workers reported {reported:,}")
        _expect(batch.reconciled_jobs == KILLED_WORKERS, f"{batch.reconciled_jobs} were repaired")
        _expect(batch.failed_jobs == FAILED_JOBS, f"{batch.failed_jobs} failed")
        _expect(watch.revisions_rise, "the watch went back")
        groups = await progress.ListFailureGroups(pb.ListFailureGroupsRequest(batch_id=batch.batch_id))
        errors = ", ".join(f"{group.failed_jobs} {group.error_type}" for group in groups.failure_groups)
        self._screen.summary(
            {
                "reported by workers": f"{reported:,}",
                "repaired": f"{batch.reconciled_jobs}, from the queue's own rows",
                "failed": f"{batch.failed_jobs}: {errors}",
                "the one stream": f"{len(watch.revisions)} messages, revisions"
                f" {watch.revisions[0]} to {watch.revisions[-1]}, strictly rising",
                "told in": f"{seconds:.1f} s",
            }
        )

    async def _keep(self, servers: Servers) -> None:
        self._screen.tell(
            f"Still serving: progress {servers.progress}, job status {servers.job_status}, dashboard"
            f" {servers.dashboard}"
        )
        self._screen.doing("serving until Ctrl-C")
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


def _expect(come_true: bool, otherwise: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not come_true:
        raise StoryError(otherwise)
