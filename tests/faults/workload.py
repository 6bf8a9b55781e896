"""Workers that send a plan of reports with the retry policy of the client, and note them in the ledger."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from batches.result import JobOutcome
from batchprogress._grpc.retry import TRY_SECONDS_MAX
from batchprogress.v1 import progress_pb2 as pb
from tests.faults.calling import call_until_answered
from tests.faults.ledger import Job, Ledger, Sighting
from tests.support.progress import Stub, stub_of

OUTCOMES = (JobOutcome.SUCCEEDED, JobOutcome.FAILED, JobOutcome.SKIPPED)
OUTCOME_WEIGHTS = (90, 8, 2)


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of batches, outcomes of jobs, and reports in the order in which they are sent."""

    sizes: dict[str, int]
    outcomes: dict[Job, JobOutcome]
    reports: list[Job]


def make_plan(order: random.Random, sizes: dict[str, int], *, copies_max: int = 1) -> Plan:
    """Return a shuffled plan in which each job is reported 1 to `copies_max` times."""
    jobs = [(batch_id, f"job-{number}") for batch_id, size in sizes.items() for number in range(size)]
    drawn = order.choices(OUTCOMES, weights=OUTCOME_WEIGHTS, k=len(jobs))
    reports = [job for job in jobs for _ in range(order.randint(1, copies_max))]
    order.shuffle(reports)
    return Plan(sizes, dict(zip(jobs, drawn, strict=True)), reports)


async def create_batches(stub: Stub, plan: Plan) -> None:
    """Create all batches of the plan."""
    await asyncio.gather(
        *(
            call_until_answered(stub.CreateBatch, pb.CreateBatchRequest(batch_id=batch_id, total_jobs=size))
            for batch_id, size in plan.sizes.items()
        )
    )


@dataclass(frozen=True, slots=True)
class Workers:
    """Concurrent workers on some channels; each sends the next report of the plan when it is free."""

    ledger: Ledger
    channels: Sequence[grpc.aio.Channel]
    workers: int
    try_seconds_max: float = TRY_SECONDS_MAX

    async def send_all(self, plan: Plan) -> None:
        """Send each report of the plan until it is answered."""
        reports = iter(plan.reports)
        stubs = [stub_of(channel) for channel in self.channels]

        async def work(stub: Stub) -> None:
            for job in reports:
                await self.send(stub, job, plan.outcomes[job])

        await asyncio.gather(*(work(stubs[number % len(stubs)]) for number in range(self.workers)))

    async def send(self, stub: Stub, job: Job, outcome: JobOutcome) -> None:
        """Send a report until it is answered, and note the answer."""
        request = report_of(job, outcome)
        self.ledger.attempt(job, outcome)
        try:
            response = await call_until_answered(
                stub.ReportJobResult, request, try_seconds_max=self.try_seconds_max
            )
        except grpc.aio.AioRpcError as error:
            self.ledger.refused[f"{error.code().name}: {error.details()}"] += 1
            return
        self.ledger.acknowledge(job, first=response.disposition == pb.DISPOSITION_RECORDED)


async def send_until(done: asyncio.Task[Any], workers: Workers, plan: Plan) -> None:
    """Send the plan repeatedly until the faults are over, then once more."""
    while not done.done():
        await workers.send_all(plan)
    await workers.send_all(plan)


def report_of(job: Job, outcome: JobOutcome) -> pb.ReportJobResultRequest:
    """Return the request of a report."""
    fields: dict[str, Any] = {"outcome": int(outcome)}
    if outcome is not JobOutcome.SUCCEEDED:
        fields["error_type"] = f"Error{job[1][-1]}"
    return pb.ReportJobResultRequest(batch_id=job[0], job_id=job[1], **fields)


async def watch_to_the_end(stub: Stub, sighting: Sighting) -> pb.Batch:
    """Watch a batch to its end, resuming after failures; note all states and return the last."""
    batch = pb.Batch()
    while True:
        request = pb.WatchBatchRequest(batch_id=sighting.batch_id, after_revision=sighting.last_revision)
        try:
            async for message in stub.WatchBatch(request, wait_for_ready=True):
                batch = message.batch
                sighting.see(batch.revision, batch.succeeded_jobs + batch.failed_jobs + batch.skipped_jobs)
        except grpc.aio.AioRpcError as error:
            if error.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
                raise
            continue
        return batch
