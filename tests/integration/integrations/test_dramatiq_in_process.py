"""Dramatiq: what is reported of each message, by a worker of a broker in memory."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import dramatiq
import pytest_asyncio
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Middleware, Retries

from batchprogress import Reporter
from batchprogress.integrations.dramatiq import DramatiqProgress
from batchprogress.v1 import progress_pb2 as pb
from tests.support.progress import Served, served

SECONDS_MAX = 30.0


@pytest_asyncio.fixture
async def progress(tmp_path: Path) -> AsyncIterator[Served]:
    """Run a server in the test's event loop."""
    async with served(f"sqlite+aiosqlite:///{tmp_path}/t.db") as running:
        yield running


async def result_of_failing(
    progress: Served, *middleware: Middleware, **options: bool
) -> tuple[int, pb.JobResult]:
    """Run a failing message until it is given up; return the number of runs and the reported result."""
    broker = StubBroker(middleware=list(middleware))
    reporter = Reporter(f"127.0.0.1:{progress.port}")
    batch = DramatiqProgress(broker, reporter, **options)
    runs = 0

    def fail(row: int, *, dry_run: bool) -> None:  # noqa: ARG001  # as the message names them
        nonlocal runs
        runs += 1
        raise KeyError("row")

    actor = dramatiq.actor(broker=broker)(fail)
    worker = dramatiq.Worker(broker, worker_timeout=100)
    worker.start()
    try:
        await asyncio.to_thread(batch.run, "b", actor.message(17, dry_run=True))
        await asyncio.to_thread(broker.join, actor.queue_name, fail_fast=False, timeout=30_000)
        assert await asyncio.to_thread(reporter.close, SECONDS_MAX)
    finally:
        await asyncio.to_thread(worker.stop)
    (result,) = (await progress.stub.ListJobResults(pb.ListJobResultsRequest(batch_id="b"))).job_results
    assert result.outcome == pb.JOB_OUTCOME_FAILED
    return runs, result


async def test_without_retries_the_first_failure_is_final(progress: Served) -> None:
    """A broker without the middleware Retries never runs a message again."""
    runs, result = await result_of_failing(progress)
    assert (runs, result.attempt, result.display_name) == (1, 1, "fail")


async def test_each_retry_is_another_attempt(progress: Served) -> None:
    """Only the last attempt is reported."""
    retries = Retries(max_retries=2, min_backoff=1, max_backoff=1)
    runs, result = await result_of_failing(progress, retries)
    assert (runs, result.attempt) == (3, 3)


async def test_arguments_are_reported_only_if_asked(progress: Served) -> None:
    """They may be personal data."""
    _, result = await result_of_failing(progress, describe_arguments=True)
    assert result.display_name == "fail(17, dry_run=True)"
