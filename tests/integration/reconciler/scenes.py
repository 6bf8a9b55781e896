"""Batches, their queues, passes over them, and the rows in the database afterwards."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Table, select, update

from batches.batch import Batch
from batches.new_batch import NewBatch
from batches.result import JobOutcome, JobResult, ResultSource
from batches.settings import DatabaseSettings
from batches.store import schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from reconciler.output.wording import sentence
from reconciler.run.deadline import Deadline
from reconciler.run.result import Output, RunReport, ignore
from reconciler.run.sweep import RunOptions
from reconciler.settings import ReconcilerSettings
from reconciler.wiring import run_pass
from tests.support.queue_fake import FakeBatch, FakeJob, QueueFake
from tests.support.samples import NOON

OF_PASSES = {schema.looks, schema.pending_jobs, schema.passes}
"""The tables in which a pass also keeps what it left as it was."""
RECORD_MAX = 5_000
"""Results that a scene records in one transaction."""
PROCESS_SECONDS_MAX = 60
"""A pass over a few batches takes about two seconds, most of it for imports."""

Tables = dict[str, list[tuple[Any, ...]]]


def jobs(number: int, failed: int = 0, skipped: int = 0, pending: int = 0) -> list[FakeJob]:
    """Return jobs named job-00000 and so on: pending ones first, then failed, skipped and succeeded ones."""
    outcomes: list[JobOutcome | None] = [None] * pending
    outcomes += [JobOutcome.FAILED] * failed + [JobOutcome.SKIPPED] * skipped
    outcomes += [JobOutcome.SUCCEEDED] * (number - len(outcomes))
    return [FakeJob(f"job-{index:05}", outcome) for index, outcome in enumerate(outcomes)]


@dataclass
class Scene:
    """A database, a queue, and the address of the service in front of the queue."""

    url: str
    database: Database
    store: BatchStore
    queue: QueueFake
    target: str
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings of the passes, in addition to those that every pass has."""

    async def batch(
        self,
        batch_id: str,
        in_queue: FakeBatch | None,
        reported: Iterable[FakeJob] = (),
        **new: Any,
    ) -> Batch:
        """Create a batch with as many jobs as its queue has, and report some of them as a worker."""
        if in_queue is not None:
            self.queue.batches[batch_id] = in_queue
        total = len(in_queue.jobs) if in_queue is not None else 1
        await self.store.create_batch(NewBatch(**{"batch_id": batch_id, "total_jobs": total, **new}))
        await self.report(batch_id, reported)
        return await self.store.get_batch(batch_id)

    async def report(self, batch_id: str, reported: Iterable[FakeJob]) -> None:
        """Report results as a worker."""
        results = [
            JobResult(batch_id, job.job_id, JobOutcome(job.outcome), job.attempt)
            for job in reported
            if job.outcome is not None
        ]
        for begin in range(0, len(results), RECORD_MAX):
            await self.store.record_results(results[begin : begin + RECORD_MAX], ResultSource.WORKER)

    async def run(
        self,
        *,
        stuck_after: float = 0,
        deadline: Deadline | None = None,
        **options: Any,
    ) -> RunReport:
        """Run one pass in this process; by default, every batch is stuck."""
        settings = {"job_status_target": self.target, "stuck_after": stuck_after, **self.settings}
        deadline = deadline or Deadline(PROCESS_SECONDS_MAX)
        try:
            return await run_pass(
                ReconcilerSettings(**settings),
                DatabaseSettings(database_url=SecretStr(self.url)),
                RunOptions(**options),
                deadline,
                Output(ignore, sentence),
            )
        finally:
            deadline.close()

    async def tables(self) -> Tables:
        """Return every row of every table, except those of OF_PASSES."""
        return await self.rows_of(*(set(schema.metadata.sorted_tables) - OF_PASSES))

    async def rows_of(self, *tables: Table) -> Tables:
        """Return every row of these tables."""
        async with self.database.engine.connect() as connection:
            return {
                table.name: [
                    tuple(row)
                    for row in await connection.execute(select(table).order_by(*table.primary_key.columns))
                ]
                for table in tables
            }

    async def let_the_lease_expire(self) -> None:
        """Let the lease of a killed pass expire, as it does after a minute."""
        async with self.database.engine.begin() as connection:
            await connection.execute(update(schema.leases).values(expire_time=NOON))

    async def differences(self) -> list[object]:
        """Return every counter that differs from the rows."""
        return [one async for page in self.store.check() for one in page.differences]

    async def start(
        self, *arguments: str, stderr: int = asyncio.subprocess.PIPE, **environment: str
    ) -> "Process":
        """Start a pass as a separate process."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "reconciler",
            *arguments,
            env=dict(os.environ) | self._environment() | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )
        return Process(process)

    async def run_process(self, *arguments: str, **environment: str) -> "Finished":
        """Run a pass as a separate process."""
        process = await self.start(*arguments, stderr=asyncio.subprocess.PIPE, **environment)
        return await process.finished()

    def _environment(self) -> dict[str, str]:
        return {
            "BATCHES_DATABASE_URL": self.url,
            "RECONCILER_JOB_STATUS_TARGET": self.target,
            "RECONCILER_STUCK_AFTER": "0",
        }


@dataclass(frozen=True)
class Finished:
    """The exit code and the output of a pass."""

    code: int
    lines: list[str]
    stderr: str

    @property
    def summary(self) -> Mapping[str, Any]:
        """The last line of standard output."""
        summary: dict[str, Any] = json.loads(self.lines[-1])
        return summary


class Process:
    """A running pass."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def terminate(self) -> None:
        """Ask it to stop."""
        self._process.terminate()

    def interrupt(self) -> None:
        """Ask it to stop as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    async def says(self, text: str) -> None:
        """Wait until the log contains the text."""
        assert self._process.stderr is not None
        async with asyncio.timeout(PROCESS_SECONDS_MAX):
            async for line in self._process.stderr:
                if text in line.decode():
                    return
        raise AssertionError(f"the pass ended without saying {text}")

    async def kill(self) -> None:
        """Kill it, as the loss of its node does."""
        self._process.kill()
        await self._process.communicate()

    async def finished(self) -> Finished:
        """Wait until it has exited."""
        async with asyncio.timeout(PROCESS_SECONDS_MAX):
            stdout, stderr = await self._process.communicate()
        code = self._process.returncode
        assert code is not None
        return Finished(code, stdout.decode().splitlines(), (stderr or b"").decode())
