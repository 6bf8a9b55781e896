"""The story: a batch gets stuck at 99 %, and is completed from the results in the queue."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from batchprogress import AsyncClient, Batch, BatchState, webhooks
from demo.job_queue import count_ended, create_queue
from demo.plan import FAILED_JOBS, KILLED_WORKERS, WORKER_PROCESSES, Plan
from demo.processes import Processes, StoryError, killed
from demo.screen import Screen
from demo.servers import NOTIFIER, Server, start_server
from demo.watch import Watch, watching
from demo.webhook import Receiver

STORY_SECONDS_MAX = 240
"""Twice the longest work that can be set; for everything without its own limit, as a program that hangs."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers and their addresses."""

    all: tuple[Server, ...]
    progress: str
    job_status: str
    page: str = ""
    """The URL of the page; empty without a gateway."""

    async def stop(self) -> None:
        """Stop all servers.

        Raises:
            StoryError: the exit code of one is not 0.

        """
        await asyncio.gather(*(server.stop() for server in self.all))


class Story:
    """The acts, in the order of this file. Each raises StoryError if something unexpected happens.

    Args:
        plan: The batch and its jobs.
        folder: A temporary folder for databases.
        processes: Starts the processes.
        screen: Shows the story.

    """

    def __init__(self, plan: Plan, folder: Path, processes: Processes, screen: Screen) -> None:
        self._plan = plan
        self._processes = processes
        self._screen = screen
        self._receiver = Receiver(folder)
        self._queue_file = folder / "queue.db"
        self._database = {"BATCHES_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'batches.db'}"}
        self._queue = {"JOB_STATUS_DATABASE_URL": f"sqlite+aiosqlite:///{self._queue_file}"}

    async def tell(self, *, keep: bool) -> None:
        """Play all acts; with `keep`, the servers then run until Ctrl-C."""
        try:
            async with asyncio.timeout(STORY_SECONDS_MAX):
                with self._receiver.listening():
                    servers = await self._tell_acts(keep=keep)
        except TimeoutError:
            raise StoryError(f"the story has not ended after {STORY_SECONDS_MAX} s") from None
        if keep:
            await self._keep(servers)
        await servers.stop()

    async def _tell_acts(self, *, keep: bool) -> Servers:
        began = time.monotonic()
        servers = await self._start_servers()
        if keep:
            servers = await self._start_gateway(servers)
        async with self._batch(servers.progress) as (client, watch):
            await self._work(servers.progress, watch)
            self._tell_why_it_is_stuck(watch.batch)
            await self._reconcile(servers.job_status, client, watch)
            await self._complete(watch)
            await self._hear()
            await self._check()
            await self._sum_up(client, watch, time.monotonic() - began)
        return servers

    async def _start_servers(self) -> Servers:
        self._screen.title(
            f"{len(self._plan.jobs):,} jobs, each with its own worker."
            f" {KILLED_WORKERS} workers will be killed before they report."
        )
        self._screen.doing("starting two servers and the notifier")
        create_queue(self._queue_file, self._plan)
        source = {"JOB_STATUS_SOURCE": "job_table", **self._queue}
        both = (
            await start_server(self._processes, "services.progress", "PROGRESS_", self._database),
            await start_server(self._processes, "services.job_status", "JOB_STATUS_", source),
        )
        progress, job_status = await asyncio.gather(*(server.ready() for server in both))
        # After the progress server, which creates the tables.
        receiver = {**self._database, **self._receiver.settings}
        notifier = await start_server(self._processes, "services.notifier", NOTIFIER, receiver)
        await notifier.ready()
        self._screen.tell(f"The servers are ready: progress {progress}, job status {job_status}.")
        return Servers((*both, notifier), progress, job_status)

    async def _start_gateway(self, servers: Servers) -> Servers:
        """Start the gateway before the work begins, so that the user sees all of it."""
        target = {"GATEWAY_PROGRESS_TARGET": servers.progress}
        gateway = await start_server(self._processes, "services.gateway", "GATEWAY_", target)
        page = f"http://{await gateway.address()}/"
        self._screen.tell(f"The page shows it: {page}")
        return replace(servers, all=(*servers.all, gateway), page=page)

    @asynccontextmanager
    async def _batch(self, target: str) -> AsyncIterator[tuple[AsyncClient, Watch]]:
        """Create the batch and watch it while the context is open."""
        # Without retries, so that the watch is one stream.
        async with AsyncClient(target, retry=False) as client:
            await client.create(self._plan.batch_id, len(self._plan.jobs))
            async with watching(client, self._plan.batch_id, self._screen.show) as watch:
                await watch.until(lambda batch: batch.total_jobs > 0)
                self._screen.tell(f"The batch {self._plan.batch_id} is created, and one stream watches it.")
                yield client, watch

    async def _work(self, target: str, watch: Watch) -> None:
        """Run all workers to their end."""
        self._screen.doing(
            f"running {len(self._plan.jobs):,} workers: {self._plan.reported:,} in {WORKER_PROCESSES}"
            f" processes and {KILLED_WORKERS} in a process each"
        )
        assignments = self._plan.assignments(target, self._queue_file)
        running = (self._processes.run("demo.worker", given=one.to_json()) for one in assignments)
        ended = await asyncio.gather(*running)
        succeeded = sum(one.exit_code == 0 for one in ended)
        _expect(succeeded == WORKER_PROCESSES, "a worker process failed")
        _expect(sum(map(killed, ended)) == KILLED_WORKERS, "a worker that should have been killed was not")
        await watch.until(lambda batch: batch.ended_jobs == self._plan.reported)
        self._screen.tell(f"{self._plan.reported:,} workers reported.")

    def _tell_why_it_is_stuck(self, batch: Batch) -> None:
        ended = count_ended(self._queue_file)
        _expect(ended == len(self._plan.jobs), f"the queue counts {ended:,} ended jobs")
        self._screen.tell(
            f"Stuck at {batch.ended_jobs}/{batch.total_jobs}, {batch.percent_complete} %: {KILLED_WORKERS}"
            " workers were killed (SIGKILL) after their jobs had ended and before they reported them. Only"
            f" the queue knows that all {ended:,} jobs have ended.",
            mark="✗",
            style="yellow",
        )

    async def _reconcile(self, job_status: str, client: AsyncClient, watch: Watch) -> None:
        """Run the reconciler, first as a dry run."""
        stuck = watch.batch
        await self._run_reconciler(job_status, "--all", "--dry-run")
        now = await client.get(self._plan.batch_id)
        _expect(now.revision == stuck.revision, "the dry run changed the batch")
        await self._run_reconciler(job_status, "--all")
        repairs = [repair async for repair in client.repairs(self._plan.batch_id)]
        _expect(len(repairs) == 1, f"there are {len(repairs)} repairs instead of 1")
        self._screen.repaired(repairs[0])

    async def _run_reconciler(self, job_status: str, *options: str) -> None:
        command = " ".join(("python -m reconciler", *options))
        self._screen.doing(command)
        settings = {**self._database, "RECONCILER_JOB_STATUS_TARGET": job_status}
        ended = await self._processes.run("reconciler", *options, settings=settings)
        _expect(ended.exit_code == 0, f"{command} ended with exit code {ended.exit_code}")
        # The last line is JSON, the one before it says the same in words.
        *_, sentence, record = ended.output.splitlines()
        self._screen.tell(f"{command}:")
        self._screen.quote(sentence)
        recorded = json.loads(record)["results_recorded"]
        _expect(recorded == KILLED_WORKERS, f"{command} found {recorded} results")

    async def _complete(self, watch: Watch) -> None:
        self._screen.doing("waiting for the end of the stream")
        batch = await watch.until(lambda batch: batch.has_ended)
        _expect(batch.state is BatchState.COMPLETED, "the batch did not complete")
        _expect(await watch.ended_well(), "the watch did not end with OK")
        self._screen.tell(
            f"The same stream says {batch.ended_jobs}/{batch.total_jobs}, {batch.percent_complete} %,"
            " completed, and the server has ended it (OK)."
        )

    async def _hear(self) -> None:
        """Wait for the webhook."""
        self._screen.doing("waiting for the webhook")
        event = await self._receiver.event()
        ended = event.batch.ended_jobs
        _expect(event.type == webhooks.COMPLETED, f"the webhook says {event.type}")
        _expect(ended == len(self._plan.jobs), f"the webhook says {ended:,} jobs")
        self._screen.tell(
            f"The webhook {event.type} arrived, with a valid signature: {ended}/{event.batch.total_jobs}."
        )

    async def _check(self) -> None:
        self._screen.doing("python -m batches check")
        ended = await self._processes.run("batches", "check", settings=self._database)
        self._screen.tell(f"python -m batches check: {ended.output.strip()}.")
        _expect(ended.exit_code == 0, "the counters differ from the rows")

    async def _sum_up(self, client: AsyncClient, watch: Watch, seconds: float) -> None:
        batch = watch.batch
        reported = batch.ended_jobs - batch.reconciled_jobs
        _expect(reported == self._plan.reported, f"workers reported {reported:,} jobs")
        _expect(batch.reconciled_jobs == KILLED_WORKERS, f"{batch.reconciled_jobs} jobs were repaired")
        _expect(batch.failed_jobs == FAILED_JOBS, f"{batch.failed_jobs} jobs failed")
        _expect(watch.revisions_rise, "a revision of the watch was not newer than the one before")
        groups = [group async for group in client.failures(batch.batch_id)]
        errors = ", ".join(f"{group.failed_jobs} {group.error_type}" for group in groups)
        self._screen.summary(
            {
                "reported by workers": f"{reported:,}",
                "repaired": f"{batch.reconciled_jobs}, from the rows of the queue",
                "failed": f"{batch.failed_jobs}: {errors}",
                "the stream": f"{len(watch.revisions)} messages, revisions"
                f" {watch.revisions[0]} to {watch.revisions[-1]}, strictly rising",
                "duration": f"{seconds:.1f} s",
            }
        )

    async def _keep(self, servers: Servers) -> None:
        self._screen.tell(
            f"Still serving: progress {servers.progress}, job status {servers.job_status}, page"
            f" {servers.page}"
        )
        self._screen.doing("serving until Ctrl-C")
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


def _expect(is_true: bool, otherwise: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not is_true:
        raise StoryError(otherwise)
