"""A process of a server is killed: nothing is lost, the others answer, and it comes back."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack

import grpc

from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.observability.conftest import value
from tests.integration.progress.test_processes import report
from tests.support.children import (
    CHANNEL_OPTIONS,
    PROCESSES,
    children_of,
    lines_of,
    metrics_of,
    processes,
    stub_of_each,
)
from tests.support.eventually import eventually
from tests.support.progress import ProgressProcess, Stub, stub_of

JOBS = 1_500
WORKERS = 30
CALL_SECONDS_MAX = 10
KILLS = 3


class Workers:
    """Report each job until it is acknowledged, each worker over its own connection."""

    def __init__(self, stubs: list[Stub]) -> None:
        self._stubs = stubs
        self._jobs = iter(range(JOBS))
        self.acknowledged: set[int] = set()

    async def run(self) -> None:
        """Report all jobs."""
        await asyncio.gather(*map(self._work, self._stubs))

    async def more_reports(self) -> None:
        """Wait for some more, or for the end."""
        goal = min(len(self.acknowledged) + WORKERS, JOBS)
        await eventually(lambda: len(self.acknowledged) >= goal)

    async def _work(self, stub: Stub) -> None:
        for job in self._jobs:
            while job not in self.acknowledged:
                try:
                    await stub.ReportJobResult(report("b", f"j{job}"), timeout=CALL_SECONDS_MAX)
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.05)
                else:
                    self.acknowledged.add(job)


async def test_a_killed_process_loses_nothing_and_comes_back(database: Database, database_url: str) -> None:
    """Each job counts once; reports go on between the kill and the return; its counts stay in the metrics."""
    async with processes(database_url) as server, AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(server.target, options=CHANNEL_OPTIONS))
            for _ in range(WORKERS)
        ]
        stubs = [stub_of(channel) for channel in channels]
        await stubs[0].CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=JOBS))
        workers = Workers(stubs)
        working = asyncio.create_task(workers.run())
        for kill in range(1, KILLS + 1):
            await workers.more_reports()
            before = children_of(server.pid)
            killed = min(before)
            os.kill(killed, signal.SIGKILL)
            await _logged(server, "process ended", kill)
            assert before - {killed} <= children_of(server.pid)
            await _answers(server.target)
            await _logged(server, "process serves again", kill)
        await working
        async with stub_of_each(server.target) as found:
            assert len(found) == PROCESSES
            batch = (await found[0].GetBatch(pb.GetBatchRequest(batch_id="b"))).batch
        assert (batch.state, batch.succeeded_jobs) == (pb.BATCH_STATE_COMPLETED, JOBS)
        await eventually(lambda: _restarts(server) == KILLS)
        lines = lines_of(server, "process ended")
    assert {(line["code"], line["signal"]) for line in lines} == {(128 + signal.SIGKILL, "SIGKILL")}
    async for page in BatchStore(database).check():
        assert page.differences == []


async def _logged(server: ProgressProcess, event: str, times: int) -> None:
    await eventually(lambda: len(lines_of(server, event)) == times)


async def _answers(target: str) -> None:
    """Fail unless a new connection is answered while a process is away."""
    async with grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS) as channel:
        request = pb.GetBatchRequest(batch_id="b")
        await stub_of(channel).GetBatch(request, timeout=CALL_SECONDS_MAX, wait_for_ready=True)


def _restarts(server: ProgressProcess) -> float | None:
    return value(metrics_of(server), "batchprogress_process_restarts_total")
