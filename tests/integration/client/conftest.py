"""A progress server for each test, in a process of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.faults.cluster import Cluster, cluster
from tests.support.progress import Served, stub_of


@pytest_asyncio.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Run one server on an SQLite file. A test may end it and start it again on the same port."""
    async with cluster(f"sqlite+aiosqlite:///{tmp_path}/t.db", 1) as running:
        yield running


@pytest_asyncio.fixture
async def progress(servers: Cluster) -> AsyncIterator[Served]:
    """Return a client of that server that does not use the code under test."""
    async with servers.channels(1) as channels:
        yield Served(servers.ports[0], channels[0], stub_of(channels[0]))


@pytest_asyncio.fixture
async def target(progress: Served) -> str:
    """Return the address of the server."""
    return f"127.0.0.1:{progress.port}"
