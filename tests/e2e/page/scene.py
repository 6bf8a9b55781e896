"""A progress server and a gateway as processes, and batches with reports."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import grpc
from sqlalchemy import select, update

from batches.look import Look, PendingJob, QueuePending
from batches.result import JobOutcome
from batches.store import schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from tests.support.gateway import gateway_process
from tests.support.progress import ROOT, Stub, progress_process, stub_of
from tests.support.queue_fake import FakeBatch, FakeJob, QueueFake
from tests.support.queue_fake import served as queue_served

PASS_SECONDS_MAX = 60
JOB_URL = "https://flower.example.com/task/{job_id}"
QUIET = timedelta(minutes=14)
ERRORS = (
    ("TimeoutError", "the registry did not answer within 30 s"),
    ("TimeoutError", "the registry did not answer within 30 s"),
    ("ValidationError", "the record has no e-mail address"),
)


def job(number: int) -> FakeJob:
    """Return a job of the queue; every 83rd has failed."""
    if number % 83 == 3:
        error_type, error_message = ERRORS[number // 83 % len(ERRORS)]
        return FakeJob(f"job-{number:05}", JobOutcome.FAILED, 1, error_type, error_message)
    return FakeJob(f"job-{number:05}")


@dataclass(frozen=True, slots=True)
class Scene:
    """The servers, and the steps of the tests."""

    database_url: str
    url: str
    """The URL of the gateway."""
    stub: Stub

    async def create(
        self, batch_id: str, jobs: int, name: str = "", labels: dict[str, str] | None = None
    ) -> None:
        """Create a batch."""
        request = pb.CreateBatchRequest(
            batch_id=batch_id, total_jobs=jobs, display_name=name, labels=labels or {}
        )
        await self.stub.CreateBatch(request)

    async def report(self, batch_id: str, numbers: range) -> None:
        """Report jobs as their workers do."""
        results = [
            pb.ReportJobResultRequest(
                batch_id=batch_id,
                job_id=one.job_id,
                outcome=pb.JobOutcome.ValueType(one.outcome or 0),
                error_type=one.error_type,
                error_message=one.error_message,
                display_name=f"imports.row {number}",
            )
            for number, one in ((number, job(number)) for number in numbers)
        ]
        await self.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))

    async def report_succeeded(self, batch_id: str, jobs: int) -> None:
        """Report the first jobs as succeeded, some of them again."""
        results = [
            pb.ReportJobResultRequest(
                batch_id=batch_id, job_id=f"job-{number:05}", outcome=pb.JOB_OUTCOME_SUCCEEDED
            )
            for number in range(jobs)
        ]
        await self.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))

    async def report_failures(self, batch_id: str, jobs: int, message: str) -> None:
        """Report failures with similar messages; {} in the message is the number of the job."""
        results = [
            pb.ReportJobResultRequest(
                batch_id=batch_id,
                job_id=f"job-{number:05}",
                outcome=pb.JOB_OUTCOME_FAILED,
                error_type="KeyError",
                error_message=message.format(number),
            )
            for number in range(jobs)
        ]
        await self.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))

    async def let_time_pass(self, batch_id: str) -> None:
        """Make a batch look as after 14 minutes without a result."""
        database = Database(self.database_url, connections_max=1)
        table = schema.batches
        is_it = table.c.batch_id == batch_id
        async with database.engine.begin() as connection:
            row = (await connection.execute(select(table.c.last_result_time).where(is_it))).one()
            moved = {"last_result_time": row.last_result_time - QUIET}
            await connection.execute(update(table).where(is_it).values(moved))
        await database.close()

    async def look(self, batch_id: str, names: Iterable[str]) -> None:
        """Keep a look of the reconciler that found these jobs pending."""
        database = Database(self.database_url, connections_max=1)
        jobs = tuple(PendingJob(name, "imports.row") for name in names)
        reason = f"{len(jobs)} jobs are still pending in Celery"
        pending = QueuePending(len(jobs), lists_jobs=True, first_jobs=jobs)
        await BatchStore(database).record_look(Look(batch_id, "still_pending", reason, pending))
        await database.close()

    async def reconcile(self, batch_id: str, jobs: int) -> None:
        """Run `python -m reconciler` with a queue in which all jobs of the batch have ended."""
        queue = QueueFake()
        queue.batches[batch_id] = FakeBatch([job(number) for number in range(jobs)])
        async with queue_served(queue) as target, asyncio.timeout(PASS_SECONDS_MAX):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "reconciler", "--batch-id", batch_id),
                cwd=ROOT,
                env={
                    **os.environ,
                    "BATCHES_DATABASE_URL": self.database_url,
                    "RECONCILER_JOB_STATUS_TARGET": target,
                },
                stdout=asyncio.subprocess.DEVNULL,
            )
            assert await process.wait() == 0


@asynccontextmanager
async def scene(database_url: str) -> AsyncIterator[Scene]:
    """Run all servers while the context is open."""
    async with (
        progress_process(database_url) as progress,
        gateway_process(progress.target, GATEWAY_JOB_URL=JOB_URL) as shown,
        grpc.aio.insecure_channel(progress.target) as channel,
    ):
        yield Scene(database_url, f"http://{shown.target}", stub_of(channel))
