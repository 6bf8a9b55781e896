"""What workers and watchers log while the servers are replaced."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from batchprogress import AsyncClient, AsyncReporter, Reporter
from batchprogress._grpc import outage
from database_servers.ports import free_port
from tests.faults.cluster import Cluster, cluster
from tests.support.eventually import eventually
from tests.support.service_address import service_address

REPORT_SECONDS = 0.01
LASTING_SECONDS = 1.0
"""The real limit is 30 s; the test only shows that there is one."""


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Two server processes on one SQLite file: one waits while the other one writes."""
    async with cluster(f"sqlite+aiosqlite:///{tmp_path}/t.db", 2) as running:
        yield running


@pytest.mark.more("restarts two server processes, each twice")
async def test_a_rollout_of_a_healthy_service_logs_no_warning(
    pair: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """Reporters and a watch find the other server behind the same address."""
    caplog.set_level(logging.DEBUG, "batchprogress")
    async with service_address(pair.ports) as target, AsyncClient(target) as client:
        await client.create("b", 0, sealed=False)
        reporters = Reporter(target, "b"), AsyncReporter(target, "b")
        watching, rolling = asyncio.create_task(_watch(client)), asyncio.create_task(_roll_out(pair))
        jobs = 0
        while not rolling.done():
            for reporter in reporters:
                reporter.succeeded(f"j{(jobs := jobs + 1)}")
            await asyncio.sleep(REPORT_SECONDS)
        await rolling
        assert await asyncio.to_thread(reporters[0].close)
        assert await reporters[1].close()
        await client.seal("b")
        assert await watching == jobs
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


async def _roll_out(pair: Cluster) -> None:
    for _ in range(2):
        for place in range(2):
            assert await pair.end(place, signal.SIGTERM) == 0
            await pair.start(place)


async def _watch(client: AsyncClient) -> int:
    async for batch in client.watch("b"):
        jobs = batch.succeeded_jobs
    return jobs


async def test_an_outage_that_lasts_is_warned_of_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first failure is an info; the warning has the reason."""
    monkeypatch.setattr(outage, "LASTING_SECONDS", LASTING_SECONDS)
    caplog.set_level(logging.INFO, "batchprogress")
    reporter = Reporter(f"127.0.0.1:{free_port()}", "b")
    reporter.succeeded("a")
    await eventually(lambda: len(caplog.records) == 2)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert "refused" in caplog.messages[1]
    await asyncio.to_thread(reporter.close, 0.0)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "WARNING"]
    assert "1 reports are unsent at the end" in caplog.messages[2]
