"""A Redis server: installed, or from Debian's package."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from database_servers.debian_packages import program_command, unpacked_package
from database_servers.home import ServerHome
from database_servers.ports import free_port

PROGRAM = "redis-server"
IN_MEMORY = ("--save", "", "--appendonly", "no")
"""Redis writes nothing to disk, which is its fastest mode."""
START_SECONDS_MAX = 30.0
"""It takes 50 ms."""


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running Redis server."""

    url: str
    """The URL of its database 0."""
    pid: int
    version: str


@contextmanager
def redis_server(options: Sequence[str] = IN_MEMORY) -> Iterator[RedisServer]:
    """Run Redis on a free port of this machine while the context is open.

    Raises:
        PackageUnavailable: it is not installed, and Debian's package cannot be downloaded.
        DatabaseServerFailed: it does not start.

    """
    port = free_port()
    command = [*_command(), "--bind", "127.0.0.1", "--port", str(port), *options]
    url = f"redis://127.0.0.1:{port}/0"
    home = ServerHome("redis")
    client = Redis.from_url(url)
    try:
        home.launch(command)
        home.wait_until(lambda: _answers(client), name="Redis", seconds_max=START_SECONDS_MAX)
        yield RedisServer(url, home.process_id, str(client.info("server")["redis_version"]))
    finally:
        client.close()
        home.remove()


def _command() -> tuple[str, ...]:
    program = shutil.which(PROGRAM)
    if program is not None:
        return (program,)
    return program_command(unpacked_package(PROGRAM), f"usr/bin/{PROGRAM}")


def _answers(client: Redis) -> bool:
    try:
        client.ping()
    except RedisConnectionError:
        return False
    return True
