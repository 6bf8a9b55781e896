"""The database's password is changed while workers report."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from batches.settings import DatabaseSettings
from batchprogress import AsyncReporter
from database_servers.given import GivenServer
from services.progress.settings import ProgressSettings
from services.progress.wiring import progress_server
from tests.support.eventually import eventually
from tests.support.progress import Served, stub_of
from tests.support.rotated_user import RotatedUser
from tests.support.storage import Databases

pytestmark = pytest.mark.parametrize("database_engine", ["mariadb", "mysql"], indirect=True)
REPORT_SECONDS = 0.01
WITHOUT_SERVICE_SECONDS_MAX = 30.0
"""A new connection is one second away; the client's pause between tries may be ten."""


@pytest.fixture
async def user(databases: Databases, database_url: str, tmp_path: Path) -> AsyncIterator[RotatedUser]:
    """Return a user of the database."""
    if isinstance(databases.server, GivenServer):
        pytest.skip("This server is not ours to change.")
    user = RotatedUser(database_url, tmp_path / "url")
    await user.create()
    yield user
    await user.drop()


@pytest.fixture
async def progress(user: RotatedUser) -> AsyncIterator[Served]:
    """A server that reads the URL from the user's file."""
    async with (
        progress_server(
            ProgressSettings(listen="127.0.0.1:0"),
            DatabaseSettings.model_validate({"database_url_file": user.file}),
        ) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield Served(server.port, channel, stub_of(channel))


class Worker:
    """Reports jobs until it is stopped, and counts those that were answered."""

    def __init__(self, progress: Served) -> None:
        self._reporter = AsyncReporter(f"127.0.0.1:{progress.port}", "b")
        self._stopping = asyncio.Event()
        self._working = asyncio.create_task(self._work())
        self.reported = 0

    async def _work(self) -> None:
        while not self._stopping.is_set():
            self.reported += 1
            self._reporter.succeeded(str(self.reported))
            await asyncio.sleep(REPORT_SECONDS)

    async def answered(self) -> None:
        """Wait until everything reported so far is answered."""
        assert await self._reporter.flush(WITHOUT_SERVICE_SECONDS_MAX)

    async def stop(self) -> None:
        """Stop; all reports are answered."""
        self._stopping.set()
        await self._working
        assert await self._reporter.close(WITHOUT_SERVICE_SECONDS_MAX)


@pytest.mark.more("waits for the checks of health and for the pauses between the client's tries")
@pytest.mark.parametrize("file_first", [True, False])
async def test_no_report_is_lost_while_the_password_is_changed(
    *, file_first: bool, user: RotatedUser, progress: Served
) -> None:
    """The pod needs no restart, in whichever order file and database get the password."""
    await progress.create("b", 0, sealed=False)
    worker = Worker(progress)
    for _ in range(2):
        await worker.answered()
        user.choose_password()
        if file_first:
            user.write_file()
        await user.change_in_database()
        await user.kill_connections()
        if not file_first:
            await eventually(lambda: _is_ready(progress, expected=False))
            user.write_file()
    await eventually(lambda: _is_ready(progress, expected=True))
    await worker.stop()
    assert (await progress.get("b")).succeeded_jobs == worker.reported


async def _is_ready(progress: Served, *, expected: bool) -> bool:
    stub: Any = health_pb2_grpc.HealthStub(progress.channel)
    response = await stub.Check(health_pb2.HealthCheckRequest())
    return (response.status == health_pb2.HealthCheckResponse.SERVING) is expected
