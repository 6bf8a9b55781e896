"""A Redis for all tests, and a server for each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis import Redis

from database_servers.redis import RedisServer, redis_server
from tests.faults.cluster import cluster
from tests.integration.integrations.scene import KillableScene, Scene
from tests.support.progress import Served, served, stub_of


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """Run one Redis."""
    with redis_server() as server:
        yield server


@pytest.fixture
def empty_redis(redis: RedisServer) -> Iterator[Redis]:
    """Empty the Redis, and return a client of it."""
    with Redis.from_url(redis.url) as client:
        client.flushall()
        yield client


@pytest_asyncio.fixture
async def scene(redis: RedisServer, empty_redis: Redis, tmp_path: Path) -> AsyncIterator[Scene]:
    """Return what a worker needs, with a server in the test's event loop."""
    url = f"sqlite+aiosqlite:///{tmp_path}/t.db"
    async with served(url) as progress:
        yield Scene(progress, empty_redis, redis.url, tmp_path / "spool", url)


@pytest_asyncio.fixture
async def killable(redis: RedisServer, empty_redis: Redis, tmp_path: Path) -> AsyncIterator[KillableScene]:
    """Return what a worker needs, with a server in a process that the test may kill."""
    url = f"sqlite+aiosqlite:///{tmp_path}/t.db"
    async with cluster(url, 1) as servers, servers.channels(1) as channels:
        progress = Served(servers.ports[0], channels[0], stub_of(channels[0]))
        yield KillableScene(progress, empty_redis, redis.url, tmp_path / "spool", url, servers)
