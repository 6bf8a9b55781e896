"""A Redis for all of them, and a server process for each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis import Redis

from tests.faults.cluster import Cluster, cluster
from tests.integration.integrations.scene import Scene
from tests.support.progress import Served, stub_of
from tests.support.redis_server import RedisServer, redis_server


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """Run one Redis."""
    with redis_server() as server:
        yield server


@pytest_asyncio.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Cluster]:
    """One server on an SQLite file, which a test may end and start again on its port."""
    async with cluster(f"sqlite+aiosqlite:///{tmp_path}/t.db", 1) as running:
        yield running


@pytest_asyncio.fixture
async def scene(servers: Cluster, redis: RedisServer, tmp_path: Path) -> AsyncIterator[Scene]:
    """What a worker needs, an empty Redis among it, and a client that does not use the code under test."""
    with Redis.from_url(redis.url) as client:
        client.flushall()
        async with servers.channels(1) as channels:
            progress = Served(servers.ports[0], channels[0], stub_of(channels[0]))
            yield Scene(servers, progress, client, redis.url, tmp_path / "spool")
