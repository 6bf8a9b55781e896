"""A progress server for each test: in the test's event loop, or in a process that the test may end."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from batchprogress._grpc import call_processes, forks
from tests.faults.cluster import Cluster, cluster
from tests.support.progress import Served, served, stub_of


@pytest_asyncio.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Run one server process on an SQLite file. A test may end it and start it again on the same port."""
    async with cluster(f"sqlite+aiosqlite:///{tmp_path}/t.db", 1) as running:
        yield running


@pytest_asyncio.fixture
async def progress_of_servers(servers: Cluster) -> AsyncIterator[Served]:
    """Return a client of the server process."""
    async with servers.channels(1) as channels:
        yield Served(servers.ports[0], channels[0], stub_of(channels[0]))


@pytest_asyncio.fixture
async def progress_in_this_loop(tmp_path: Path) -> AsyncIterator[Served]:
    """Run a server in the test's event loop: it starts in a moment, a process takes a second."""
    async with served(f"sqlite+aiosqlite:///{tmp_path}/t.db") as running:
        yield running


@pytest.fixture
def progress(request: pytest.FixtureRequest) -> Served:
    """Return a client, which does not use the code under test, of the server that the test needs."""
    needs_process = "servers" in request.fixturenames
    server: Served = request.getfixturevalue(
        "progress_of_servers" if needs_process else "progress_in_this_loop"
    )
    return server


@pytest.fixture
def target(progress: Served) -> str:
    """Return the address of the server."""
    return f"127.0.0.1:{progress.port}"


@pytest.fixture
def _in_a_forked_child(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the call process make every call, as if this process had been forked after one."""
    monkeypatch.setattr(forks, "_first_pid", 1)
    monkeypatch.setattr(call_processes, "_control", None)
    yield
    if call_processes._control is not None:  # noqa: SLF001  # ends it
        call_processes._control.close()  # noqa: SLF001
