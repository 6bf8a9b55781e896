"""The real stores of a run: MySQL with durable settings, Redis, both started and ended by the run."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.support.databases import DatabaseServer, database_server
from tests.support.databases.debian_packages import program_command, unpacked_package
from tests.support.databases.home import ServerHome
from tests.support.databases.ports import free_port

DURABLE = {
    "innodb_flush_log_at_trx_commit": "1",
    "sync_binlog": "1",
    "log_bin": "binlog",
    # Not durability: the rows of a run stay in memory, as on a server made for the work. For all peers alike.
    "innodb_buffer_pool_size": "1G",
}
REDIS_OPTIONS = ("--save", "", "--appendonly", "no")
"""Nothing is written to disk: the fastest that Redis can be, in favour of its peers."""
REDIS_PROGRAM = "redis-server"
REDIS_START_SECONDS_MAX = 30.0
"""It takes some 50 ms."""
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A Redis server that runs."""

    url: str
    pid: int
    version: str


class MysqlServer:
    """A MySQL server that runs."""

    def __init__(self, server: DatabaseServer, engine: AsyncEngine, pid: int | None) -> None:
        """Take the server and a pool of the benchmark's own to it."""
        self._server = server
        self._engine = engine
        self.pids = [] if pid is None else [pid]
        """Empty if it runs where its CPU time cannot be read, such as in a container."""

    @asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[str]:
        """Make a database and return its URL; it goes when the context ends."""
        await self._execute(f"CREATE DATABASE {name}")
        try:
            yield self._server.url(name)
        finally:
            await self._execute(f"DROP DATABASE {name}")

    async def variables(self, names: tuple[str, ...]) -> dict[str, str]:
        """Return global variables as the server itself tells them."""
        async with self._engine.connect() as connection:
            return {name: str(await connection.scalar(text(f"SELECT @@GLOBAL.{name}"))) for name in names}

    async def _execute(self, statement: str) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(text(statement))


@asynccontextmanager
async def mysql() -> AsyncIterator[MysqlServer]:
    """Run MySQL with durable settings while the context is open."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in DURABLE.items()]
    server = await asyncio.to_thread(database_server, "mysql", options, own=True)
    await asyncio.to_thread(server.start)
    engine = create_async_engine(server.url(), pool_size=1)
    try:
        yield MysqlServer(server, engine, await _mysql_pid(engine))
    finally:
        await engine.dispose()
        await asyncio.to_thread(server.stop)


async def _mysql_pid(engine: AsyncEngine) -> int | None:
    async with engine.connect() as connection:
        file = str(await connection.scalar(text("SELECT @@GLOBAL.pid_file")))
    return await asyncio.to_thread(_number_in, Path(file))


def _number_in(file: Path) -> int | None:
    """Return the number that a file holds; None if it is not on this machine, but in a container."""
    return int(file.read_text()) if file.is_file() else None


@asynccontextmanager
async def redis() -> AsyncIterator[RedisServer]:
    """Run Redis while the context is open."""
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    command = (*await asyncio.to_thread(_redis_command), "--bind", "127.0.0.1", "--port", str(port))
    with _home() as home:
        home.launch([*command, *REDIS_OPTIONS])
        client = Redis.from_url(url)
        try:
            await _wait_until_ready(client)
            yield RedisServer(url, home.process_id, str((await client.info("server"))["redis_version"]))
        finally:
            await client.aclose()


@contextmanager
def _home() -> Iterator[ServerHome]:
    home = ServerHome("redis")
    try:
        yield home
    finally:
        home.remove()


def _redis_command() -> tuple[str, ...]:
    """Return the command for an installed Redis, else for Debian's package, unpacked."""
    program = shutil.which(REDIS_PROGRAM)
    return (
        (program,)
        if program
        else program_command(unpacked_package(REDIS_PROGRAM), f"usr/bin/{REDIS_PROGRAM}")
    )


async def _wait_until_ready(client: Redis) -> None:
    async with asyncio.timeout(REDIS_START_SECONDS_MAX):
        while True:
            try:
                await client.ping()
            except RedisConnectionError:
                await asyncio.sleep(POLL_SECONDS)
            else:
                return
