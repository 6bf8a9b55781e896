"""Databases and ports for the tests, and a check that they leave nothing behind."""

import asyncio
import gc
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import NullPool, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from database_servers.errors import PackageUnavailable
from database_servers.postgresql import postgresql_server
from database_servers.redis import redis_server
from tests.support import not_run

READER = "reader"
"""Our account in a queue's Redis."""

END_SECONDS_MAX = 5.0
"""How long a task or a thread may take to end on a busy machine."""


@pytest.fixture
def queue_url(tmp_path: Path) -> str:
    """Return the URL of an empty SQLite database. The tests of a source override this for each engine."""
    return f"sqlite+aiosqlite:///{tmp_path / 'queue.db'}"


@pytest.fixture(scope="session")
def _postgresql_database() -> Iterator[str]:
    """Run PostgreSQL; yields the URL of a new database."""
    name = f"batchprogress_test_{secrets.token_hex(4)}"
    try:
        with postgresql_server() as server:
            asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
            asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))
    except PackageUnavailable as error:
        not_run.without(f"no PostgreSQL: {error}")


@pytest.fixture
async def postgresql_url(_postgresql_database: str) -> AsyncIterator[str]:
    """Yield the URL of an empty PostgreSQL database, and empty it afterwards."""
    yield _postgresql_database
    await _execute(_postgresql_database, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


async def _execute(url: str, *statements: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Run Redis; yields its URL for an account with all permissions."""
    try:
        with redis_server() as server:
            yield server.url
            gc.collect()  # Celery's results unsubscribe when they are collected, and would retry for a minute
    except PackageUnavailable as error:
        not_run.without(f"no Redis: {error}")


@pytest.fixture
def reader_url(redis_url: str) -> Iterator[str]:
    """Yield the URL of Redis for a read-only account; deletes the account and all keys afterwards."""
    with Redis.from_url(redis_url) as redis:
        redis.acl_setuser(READER, enabled=True, passwords=["+s3cret"], keys=["*"], categories=["+@read"])
        yield redis_url.replace("redis://", f"redis://{READER}:s3cret@")
        redis.acl_deluser(READER)
        redis.flushall()


@pytest.fixture
def unused_port() -> Iterator[int]:
    """Yield a port that is bound but not listening: connections to it are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(autouse=True)
async def _nothing_left_running() -> AsyncIterator[None]:
    """Fail a test that leaves tasks or connections to SQLite behind; each connection is a thread."""
    before = {asyncio.current_task(), *asyncio.all_tasks()}
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=END_SECONDS_MAX)
    assert left == set()
    assert _sqlite_threads_left() == []


def _sqlite_threads_left() -> list[threading.Thread]:
    threads = [thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]
    for thread in threads:
        thread.join(END_SECONDS_MAX)
    return [thread for thread in threads if thread.is_alive()]
