"""A failure limit: how a program asks for it, and how it learns that it was exceeded."""

import asyncio

import pytest

from batchprogress import AsyncClient, BatchConflict, BatchState, CancelReason, Client
from batchprogress._grpc.connection import Connection
from batchprogress.integrations.best_effort import BestEffortClient
from tests.integration.client.either import opened


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_batch_is_cancelled_when_one_job_more_fails(
    kind: type[Client | AsyncClient], target: str
) -> None:
    """The batch has its limit and the reason of its end; another limit is a conflict."""
    async with opened(kind, target) as client:
        created = await client.call("create", "b", 10, max_failed_jobs=1)
        assert (created.max_failed_jobs, created.max_failed_percent) == (1, None)
        assert created.cancel_reason is None
        with pytest.raises(BatchConflict, match="and a limit of 1 failed jobs"):
            await client.call("create", "b", 10, max_failed_percent=10)
        await asyncio.to_thread(report_failures, target, 2)
        batch = await client.call("wait", "b", timeout=60)
        assert (batch.state, batch.cancel_reason) == (BatchState.CANCELLED, CancelReason.FAILURE_LIMIT)
        assert (batch.failed_jobs, batch.pending_jobs) == (2, 8)
        cancelled = await client.call("create", "c", 1, max_failed_percent=0)
        assert (cancelled.max_failed_jobs, cancelled.max_failed_percent) == (None, 0)
        assert (await client.call("cancel", "c")).cancel_reason is CancelReason.REQUESTED


def report_failures(target: str, jobs: int) -> None:
    """Report failed jobs of the batch."""
    with Client(target).reporter("b") as reporter:
        for number in range(jobs):
            reporter.failed(str(number))


async def test_programs_that_enqueue_pass_the_limit_on(target: str) -> None:
    client = BestEffortClient(Connection(target), strict=True)
    assert await asyncio.to_thread(client.create, "b", 1, max_failed_jobs=0)
    assert await asyncio.to_thread(client.create, "c", 1, max_failed_percent=7)
    async with opened(AsyncClient, target) as reader:
        assert (await reader.call("get", "b")).max_failed_jobs == 0
        assert (await reader.call("get", "c")).max_failed_percent == 7
