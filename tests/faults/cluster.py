"""Server processes on one database; each keeps its port when it is restarted."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc

from database_servers.ports import free_port
from tests.support.progress import ROOT, ProgressProcess, start_from

ROUND_ROBIN = '{"loadBalancingConfig": [{"round_robin": {}}]}'
CHANNEL_OPTIONS = (
    ("grpc.service_config", ROUND_ROBIN),
    ("grpc.use_local_subchannel_pool", 1),
    # A killed server is back within two seconds; the default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


class Cluster:
    """Servers that can be killed, stopped and restarted while workers report.

    Args:
        database_url: The database of all servers.
        environment: Their settings.
        ports: The port of each server.

    """

    def __init__(self, database_url: str, environment: Mapping[str, str], ports: list[int]) -> None:
        self._database_url = database_url
        self._environment = environment
        self.ports = ports
        self.servers: list[ProgressProcess | None] = [None] * len(ports)

    @property
    def target(self) -> str:
        """The target of a channel to all servers."""
        return "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in self.ports)

    @asynccontextmanager
    async def channels(self, number: int) -> AsyncIterator[list[grpc.aio.Channel]]:
        """Open channels with separate connections to every server, as worker processes have."""
        async with AsyncExitStack() as stack:
            yield [
                await stack.enter_async_context(
                    grpc.aio.insecure_channel(self.target, options=CHANNEL_OPTIONS)
                )
                for _ in range(number)
            ]

    async def start(self, place: int, checkout: Path = ROOT) -> None:
        """Start a server from this checkout or another one, and wait until it serves."""
        own = {
            "BATCHES_DATABASE_URL": self._database_url,
            "PROGRESS_LISTEN": f"127.0.0.1:{self.ports[place]}",
        }
        server = ProgressProcess(await start_from(checkout, own | dict(self._environment)))
        self.servers[place] = server
        await server.read_port()

    async def end(self, place: int, how: signal.Signals) -> int:
        """End a server with a signal, and return its exit code."""
        server = self.server(place)
        server.send(how)
        self.servers[place] = None
        return await server.ended()

    def server(self, place: int) -> ProgressProcess:
        """Return a running server."""
        server = self.servers[place]
        assert server is not None
        return server


@asynccontextmanager
async def cluster(
    database_url: str, servers: int, *, serving: bool = True, **environment: str
) -> AsyncIterator[Cluster]:
    """Run servers while the context is open; with `serving=False`, the test starts them."""
    running = Cluster(database_url, environment, [free_port() for _ in range(servers)])
    try:
        if serving:
            await asyncio.gather(*(running.start(place) for place in range(servers)))
        yield running
    finally:
        for place, server in enumerate(running.servers):
            if server is not None:
                server.send(signal.SIGCONT)  # a frozen process does not end
                await running.end(place, signal.SIGKILL)
