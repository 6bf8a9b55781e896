"""An application on each kind of database, a server, and the gateway between them."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import NullPool, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from database_servers import DatabaseServerUnavailable, database_server
from database_servers.errors import PackageUnavailable
from database_servers.postgresql import postgresql_server
from database_servers.redis import RedisServer, redis_server
from tests.integration.job_status.servers import serving
from tests.laravel.application import Application, environment_of
from tests.laravel.framework import Framework, framework
from tests.laravel.scene import Scene
from tests.support import not_run
from tests.support.gateway import gateway
from tests.support.progress import served


@pytest.fixture(scope="session")
def laravel_10() -> Framework:
    """Bring Laravel 10."""
    return framework(10)


@pytest.fixture(scope="session")
def laravel_13() -> Framework:
    """Bring Laravel 13."""
    return framework(13)


@pytest.fixture(scope="session")
def mysql() -> Iterator[str]:
    """Run MySQL; yields the URL of a database that exists."""
    try:
        with database_server("mysql") as server:
            yield server.url("mysql")
    except DatabaseServerUnavailable as error:
        not_run.without(str(error))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Run PostgreSQL; yields the URL of a database that exists."""
    try:
        with postgresql_server() as url:
            yield url
    except PackageUnavailable as error:
        not_run.without(f"no PostgreSQL: {error}")


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """Run Redis."""
    try:
        with redis_server() as server:
            yield server
    except PackageUnavailable as error:
        not_run.without(f"no Redis: {error}")


@pytest.fixture(
    params=[("laravel_10", "mysql", "redis"), ("laravel_13", "postgresql", "database")],
    ids=["10-mysql-redis", "13-postgresql-database"],
)
def parts(request: pytest.FixtureRequest, redis: RedisServer) -> tuple[Framework, str, str, str]:
    """Return a version of Laravel, the URL of a server with its database, its Redis and its queue."""
    version, server, queue = request.param
    found: Framework = request.getfixturevalue(version)
    return found, request.getfixturevalue(server), redis.url, queue


@pytest_asyncio.fixture
async def scene(
    request: pytest.FixtureRequest, parts: tuple[Framework, str, str, str], tmp_path: Path
) -> AsyncIterator[Scene]:
    """Return an application without jobs, and an empty server that its workers report to."""
    laravel, server_url, redis_url, queue = parts
    name = f"batchprogress_laravel_{secrets.token_hex(4)}"
    await _execute(server_url, f"CREATE DATABASE {name}")
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    own_url = f"sqlite+aiosqlite:///{tmp_path / 'batches.db'}"
    (tmp_path / "app").mkdir()
    async with (
        served(own_url) as progress,
        gateway(f"127.0.0.1:{progress.port}") as door,
        serving("laravel", url) as source,
    ):
        environment = environment_of(url, redis_url, queue, f"http://127.0.0.1:{door.port}")
        application = Application(laravel, tmp_path / "app", environment)
        await application.install()
        yield Scene(application, url, own_url, progress, source, request.node)
    await _execute(server_url, f"DROP DATABASE {name}")


async def _execute(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()
