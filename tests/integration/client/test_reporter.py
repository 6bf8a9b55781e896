"""Reporter and AsyncReporter with a server that restarts, refuses or is unavailable."""

import asyncio
import logging
import signal
import threading
from collections.abc import Iterator

import pytest

from batchprogress import AsyncReporter, Reporter, ReportNotTaken, ReportsRefused, ReportsUnsent
from batchprogress.v1 import progress_pb2 as pb
from database_servers.ports import free_port
from tests.faults.cluster import Cluster
from tests.support.progress import Served

SECONDS_MAX = 60.0
"""The longest wait until every report is answered; after that, a report must have been lost."""
JOBS = 10_000
RESTARTS = 5
THREADS = 4


async def get(progress: Served) -> pb.Batch:
    """Read the batch from a server that may just have restarted."""
    return (await progress.stub.GetBatch(pb.GetBatchRequest(batch_id="b"), wait_for_ready=True)).batch


async def restart(servers: Cluster, gates: Iterator[threading.Event]) -> None:
    """Kill and start the server RESTARTS times; each change opens the next gate."""
    next(gates).set()
    for _ in range(RESTARTS):
        await servers.end(0, signal.SIGKILL)
        next(gates).set()
        await servers.start(0)
        next(gates).set()


@pytest.mark.more("repeats fault 2 with a Reporter")
async def test_each_report_is_counted_once_though_the_server_is_killed_five_times(
    servers: Cluster, progress: Served, target: str
) -> None:
    """10,000 reports from four threads, five SIGKILLs of the server, and no exception in a job."""
    await progress.create("b", JOBS)
    gates = [threading.Event() for _ in range(1 + 2 * RESTARTS)]

    def work(reporter: Reporter, first: int) -> None:
        for number in range(first, JOBS, THREADS):
            gates[number * len(gates) // JOBS].wait()
            if number % 10:
                reporter.succeeded(f"j{number}")
            else:
                reporter.failed(f"j{number}", ValueError("no such row"))

    reporter = Reporter(target, "b")
    works = [asyncio.to_thread(work, reporter, first) for first in range(THREADS)]
    await asyncio.gather(restart(servers, iter(gates)), *works)
    assert await asyncio.to_thread(reporter.close, SECONDS_MAX)
    batch = await get(progress)
    assert (batch.succeeded_jobs, batch.failed_jobs, batch.state) == (9_000, 1_000, pb.BATCH_STATE_COMPLETED)
    assert (reporter.counts.recorded, reporter.counts.dropped) == (JOBS, {})


async def test_each_report_of_an_event_loop_is_counted_once_though_the_server_is_killed(
    servers: Cluster, progress: Served, target: str
) -> None:
    """Reports made while the server is down are recorded once it is back."""
    await progress.create("b", JOBS)
    async with AsyncReporter(target, "b") as reporter:
        for number in range(JOBS // 2):
            reporter.succeeded(f"j{number}")
            if number % 500 == 0:
                await asyncio.sleep(0)
        await servers.end(0, signal.SIGKILL)
        for number in range(JOBS // 2, JOBS):
            with reporter.job(f"j{number}"):
                pass
        await servers.start(0)
        assert await reporter.flush(SECONDS_MAX)
        assert (reporter.counts.recorded, reporter.counts.dropped) == (JOBS, {})
    assert (await get(progress)).state == pb.BATCH_STATE_COMPLETED


async def test_a_lone_report_is_sent_at_once(progress: Served, target: str) -> None:
    """A watcher sees it without a flush and without another report."""
    await progress.create("b", 2)
    threaded, looped = Reporter(target, "b"), AsyncReporter(target, "b")
    watching = progress.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b"))
    async with asyncio.timeout(SECONDS_MAX):
        threaded.succeeded("a")
        async for message in watching:
            if message.batch.succeeded_jobs == 1 and looped.counts.recorded + looped.counts.pending == 0:
                looped.succeeded("b")
    assert (await get(progress)).state == pb.BATCH_STATE_COMPLETED
    await looped.close()
    await asyncio.to_thread(threaded.close)


async def test_without_a_server_jobs_go_on_and_one_line_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand jobs end undisturbed; the one log line has the reason."""
    caplog.set_level(logging.INFO, "batchprogress")
    reporter = Reporter(f"127.0.0.1:{free_port()}", "b")
    for number in range(1_000):
        with reporter.job(f"j{number}"):
            pass
    assert not await asyncio.to_thread(reporter.flush, 1.0)
    assert reporter.counts.pending == 1_000
    (line,) = caplog.messages
    assert "does not answer" in line
    assert "UNAVAILABLE" in line
    await asyncio.to_thread(reporter.close, 0.0)
    assert reporter.counts.dropped == {"UNSENT": 1_000}


async def test_a_full_buffer_refuses_the_newest_and_counts_it(
    servers: Cluster, progress: Served, target: str
) -> None:
    """Without a server ten reports wait and five are dropped; the ten are recorded once it is back."""
    await progress.create("b", 15)
    await servers.end(0, signal.SIGKILL)
    reporter = Reporter(target, "b", reports_max=10)
    for number in range(15):
        reporter.succeeded(f"j{number:02}")
    assert (reporter.counts.pending, reporter.counts.dropped) == (10, {"BUFFER_FULL": 5})
    await servers.start(0)
    assert await asyncio.to_thread(reporter.close, SECONDS_MAX)
    request = pb.ListJobResultsRequest(batch_id="b")
    results = await progress.stub.ListJobResults(request, wait_for_ready=True)
    assert [result.job_id for result in results.job_results] == [f"j{number:02}" for number in range(10)]


async def test_a_refused_report_is_dropped_and_counted_by_its_reason(progress: Served, target: str) -> None:
    """One job too many, an unknown batch, a conflicting outcome, an invalid id."""
    await progress.create("b", 1)
    reporter = Reporter(target, "b")
    reporter.succeeded("a")
    reporter.succeeded("too-many")
    reporter.succeeded("a", batch_id="unknown")
    reporter.failed("a", "changed its mind")
    reporter.succeeded("a b")
    assert await asyncio.to_thread(reporter.close, SECONDS_MAX)
    reasons = ("BATCH_FULL", "BATCH_NOT_FOUND", "RESULT_CONFLICT", "INVALID_FIELD")
    assert reporter.counts.dropped == dict.fromkeys(reasons, 1)
    assert reporter.counts.recorded == 1


async def test_the_log_says_of_each_full_batch_what_to_do(
    progress: Served, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As for a batch that grows, but was created sealed."""
    reporter = Reporter(target)
    for batch_id in ("b", "c"):
        await progress.create(batch_id, 1)
        for job_id in ("announced", "added", "added-later"):
            reporter.succeeded(job_id, batch_id=batch_id)
    assert await asyncio.to_thread(reporter.close, SECONDS_MAX)
    assert [message for message in caplog.messages if "BATCH_FULL" in message] == [
        f"a report is lost: BATCH_FULL: job added was not recorded: all 1 jobs of sealed batch {batch_id}"
        " have a result (job 'added'): the batch was created sealed with fewer jobs, or it has ended;"
        " create a batch that grows unsealed, and seal it after its last job"
        " (logged once for each batch; see counts)"
        for batch_id in ("b", "c")
    ]
    assert reporter.counts.dropped == {"BATCH_FULL": 4}


async def test_strict_raises(progress: Served, target: str) -> None:
    """A report that is not accepted raises at once; refused and unsent reports raise at the end."""
    await progress.create("b", 1)
    strict = Reporter(target, "unknown", strict=True)
    strict.succeeded("a")
    with pytest.raises(ReportsRefused) as refused:
        await asyncio.to_thread(strict.flush, SECONDS_MAX)
    assert refused.value.reasons == {"BATCH_NOT_FOUND": 1}
    assert await asyncio.to_thread(strict.close, SECONDS_MAX)  # raised once
    with pytest.raises(ReportNotTaken, match="closed"):
        strict.succeeded("a")
    with pytest.raises(ReportsRefused):
        async with AsyncReporter(target, "unknown", strict=True) as looped:
            looped.succeeded("a")
    away = Reporter(f"127.0.0.1:{free_port()}", "b", strict=True)
    away.succeeded("a")
    with pytest.raises(ReportsUnsent, match="1 reports"):
        await asyncio.to_thread(away.close, 0.0)


async def test_an_exception_of_the_block_is_never_replaced(target: str) -> None:
    """A strict reporter does not replace it either."""

    def script() -> None:
        with Reporter(target, "unknown", strict=True) as reporter:
            reporter.succeeded("a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(script)


async def test_a_token_function_that_raises_loses_no_report(progress: Served, target: str) -> None:
    """It is called for each call; the report waits for a call with a token."""
    await progress.create("b", 1)
    calls = 0

    def token() -> str:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("no token")
        return "secret"

    reporter = Reporter(target, "b", token=token)
    reporter.succeeded("a")
    assert await asyncio.to_thread(reporter.close, SECONDS_MAX)
    assert (calls, reporter.counts.recorded) == (2, 1)


async def test_a_report_from_outside_the_event_loop_is_sent(progress: Served, target: str) -> None:
    """AsyncReporter takes reports from every thread."""
    await progress.create("b", 2)
    reporter = AsyncReporter(target, "b")
    await asyncio.to_thread(reporter.succeeded, "outside")
    reporter.succeeded("inside")
    assert await reporter.close(60)
    assert (await progress.get("b")).succeeded_jobs == 2


async def test_cancelling_every_task_of_the_loop_loses_no_report(
    servers: Cluster, progress: Served, target: str
) -> None:
    """A task that flushes is one of them; its reports are sent all the same."""
    await progress.create("b", 2)
    await servers.end(0, signal.SIGKILL)
    reporter = AsyncReporter(target, "b")
    reporter.succeeded("in-flight")
    flushing = asyncio.create_task(reporter.flush())
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if "AsyncReporter" in repr(task):
            task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flushing
    reporter.succeeded("next")
    await servers.start(0)
    assert await reporter.close(60)
    assert reporter.counts.recorded == 2
    assert await reporter.close(60), "a second close changes nothing"


async def test_a_flush_does_not_block_the_event_loop(target: str) -> None:
    """Other tasks run while it waits for an answer."""
    calling, may_answer = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def token() -> str:
        loop.call_soon_threadsafe(calling.set)
        may_answer.wait(SECONDS_MAX)
        return "secret"

    reporter = AsyncReporter(target, "unknown", token=token)
    reporter.succeeded("a")
    flushing = asyncio.create_task(reporter.flush())
    await calling.wait()
    assert not flushing.done()
    may_answer.set()
    assert await flushing
    assert reporter.counts.dropped == {"BATCH_NOT_FOUND": 1}
    await reporter.close()


async def test_a_worker_learns_from_its_next_answer_that_a_batch_was_cancelled(
    progress: Served, target: str
) -> None:
    """It asks nothing: a report that is answered, as a skipped job, says it."""
    await progress.create("b", 4)
    threaded, looped = Reporter(target, "b"), AsyncReporter(target, "b")
    for job_id, is_cancelled in (("1", False), ("2", True)):
        threaded.skipped(f"thread-{job_id}")
        looped.skipped(f"loop-{job_id}")
        assert await asyncio.to_thread(threaded.flush, SECONDS_MAX)
        assert await looped.flush(SECONDS_MAX)
        for reporter in (threaded, looped):
            assert reporter.is_cancelled() is reporter.job("3").cancelled is is_cancelled
            assert not reporter.is_cancelled("another")
        if not is_cancelled:
            await progress.stub.CancelBatch(pb.CancelBatchRequest(batch_id="b"))
    await looped.close()
    await asyncio.to_thread(threaded.close)
