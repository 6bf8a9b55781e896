"""Fault 7: thousands of calls are cancelled or reach their deadline after milliseconds."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import grpc

from batchprogress.v1 import progress_pb2 as pb
from tests.faults.cluster import cluster
from tests.faults.conftest import Target, Verdict
from tests.faults.footprint import Footprint
from tests.faults.ledger import Job, Ledger
from tests.faults.pools import assert_pool_whole, assert_threads_at_rest
from tests.faults.workload import Plan, Workers, create_batches, make_plan, report_of
from tests.support.progress import Stub, stub_of

CALLERS = 16
"""Concurrent calls: commits take longer than most deadlines, but some calls are answered."""
WORKERS = 300
CHANNELS = 4
SIZES = {"hot": 4_000, **{f"batch-{number}": 40 for number in range(50)}}
DEADLINE_SECONDS = (0.001, 0.020)
RESULTS_PER_CALL_MAX = 20
PATIENCE_SECONDS = 5.0
"""The deadline of calls that their caller cancels before."""
GIVEN_UP_SHARE_MIN = 0.1
"""The share of unanswered calls in a storm: 80 to 98 % here, less on a faster machine."""
PARTS = 4
"""Parts of a storm; memory is read after each. A leak grows in every part, but the heap and caches only in
some: the smallest growth counts, without the first part."""
MEMORY_GROWTH_BYTES_MAX = 4 * 1024 * 1024
"""The growth of a server in one part of 5,000 calls at full size: a leak of 1 KiB per call, less than a task
needs, would be 5 MiB. The heap grows by 4 MiB in 80,000 calls, on a busy machine by 12 MiB in 10,000."""


Response = TypeVar("Response")


class GivenUp(Exception):
    """A call ended without an answer."""


@dataclass(frozen=True, slots=True)
class Storm:
    """Callers that do not wait, and note the answers that they get."""

    order: random.Random
    ledger: Ledger
    plan: Plan
    jobs: list[Job]

    async def blow(self, stubs: list[Stub], calls: int) -> int:
        """Make calls; return how many were not answered."""
        turns = iter(range(calls))
        given_up = 0

        async def call_on(stub: Stub) -> None:
            nonlocal given_up
            for _ in turns:
                try:
                    await self.order.choice((self._report, self._report_many, self._read))(stub)
                except GivenUp:
                    given_up += 1

        await asyncio.gather(*(call_on(stubs[one % len(stubs)]) for one in range(CALLERS)))
        return given_up

    async def _report(self, stub: Stub) -> None:
        job = self.order.choice(self.jobs)
        self.ledger.attempt(job, self.plan.outcomes[job])
        response = await self._impatiently(stub.ReportJobResult, report_of(job, self.plan.outcomes[job]))
        self.ledger.acknowledge(job, first=response.disposition == pb.DISPOSITION_RECORDED)

    async def _report_many(self, stub: Stub) -> None:
        jobs = self.order.sample(self.jobs, self.order.randint(1, RESULTS_PER_CALL_MAX))
        for job in jobs:
            self.ledger.attempt(job, self.plan.outcomes[job])
        reports = [report_of(job, self.plan.outcomes[job]) for job in jobs]
        request = pb.ReportJobResultsRequest(results=reports)
        response = await self._impatiently(stub.ReportJobResults, request)
        for job, answer in zip(jobs, response.results, strict=True):
            assert not answer.HasField("error"), answer.error
            self.ledger.acknowledge(job, first=answer.disposition == pb.DISPOSITION_RECORDED)

    async def _read(self, stub: Stub) -> None:
        batch_id = self.order.choice(self.jobs)[0]
        await self._impatiently(stub.GetBatch, pb.GetBatchRequest(batch_id=batch_id))

    async def _impatiently(self, method: Callable[..., Awaitable[Response]], request: object) -> Response:
        """Make a call that ends after milliseconds, by its deadline or by cancellation."""
        seconds = self.order.uniform(*DEADLINE_SECONDS)
        by_deadline = self.order.random() < 0.5
        try:
            async with asyncio.timeout(None if by_deadline else seconds):
                return await method(request, timeout=seconds if by_deadline else PATIENCE_SECONDS)
        except TimeoutError as error:
            raise GivenUp from error
        except grpc.aio.AioRpcError as error:
            # A deadline that the server notices first may arrive as CANCELLED.
            if error.code() not in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}:
                raise
            raise GivenUp from error


async def test_a_storm_of_cancellations_leaves_nothing_behind(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """Counts stay exact, no connection is kept, and memory does not grow."""
    calls = 20_000 if full else 1_500
    plan, ledger = make_plan(order, SIZES), Ledger()
    storm = Storm(order, ledger, plan, list(plan.outcomes))
    async with cluster(target.url, 1) as servers, servers.channels(CHANNELS) as channels:
        stubs = [stub_of(channel) for channel in channels]
        await create_batches(stubs[0], plan)
        given_up, resident = 0, []
        for _ in range(PARTS):
            given_up += await storm.blow(stubs, calls // PARTS)
            # No call is pending, no connection is checked out.
            await assert_pool_whole(servers.ports[0], "hot", target)
            resident.append(Footprint.of(servers.server(0).pid).resident_bytes)
        await assert_threads_at_rest(target, servers=1)
        await Workers(ledger, channels, WORKERS).send_all(plan)
    assert given_up > calls * GIVEN_UP_SHARE_MIN
    assert min(after - before for before, after in pairwise(resident)) <= MEMORY_GROWTH_BYTES_MAX
    assert ledger.acknowledged == plan.outcomes.keys()
    await verdict("cancellation storm", given_up, ledger)
