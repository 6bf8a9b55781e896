"""Some server processes on one database, each on a port of its own that it keeps when it is started again."""

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
    # A server that was killed is back within a second or two; the default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


class Cluster:
    """Servers that can be killed, stopped and started again while workers go on."""

    def __init__(self, database_url: str, environment: Mapping[str, str], ports: list[int]) -> None:
        """Take what every server is started with."""
        self._database_url = database_url
        self._environment = environment
        self.ports = ports
        self.servers: list[ProgressProcess | None] = [None] * len(ports)

    @property
    def target(self) -> str:
        """The target of a channel over all servers."""
        return "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in self.ports)

    @asynccontextmanager
    async def channels(self, number: int) -> AsyncIterator[list[grpc.aio.Channel]]:
        """Open channels, each with its own connections to every server, as worker processes have."""
        async with AsyncExitStack() as stack:
            yield [
                await stack.enter_async_context(
                    grpc.aio.insecure_channel(self.target, options=CHANNEL_OPTIONS)
                )
                for _ in range(number)
            ]

    async def start(self, place: int, checkout: Path = ROOT) -> None:
        """Start a server, of this checkout or of another one, and wait until it serves."""
        own = {
            "BATCHES_DATABASE_URL": self._database_url,
            "PROGRESS_LISTEN": f"127.0.0.1:{self.ports[place]}",
        }
        server = ProgressProcess(await start_from(checkout, own | dict(self._environment)))
        self.servers[place] = server
        await server.read_port()

    async def end(self, place: int, how: signal.Signals) -> int:
        """Send a server a signal that ends it and wait for its end; returns its exit code."""
        server = self.server(place)
        server.send(how)
        self.servers[place] = None
        return await server.ended()

    def server(self, place: int) -> ProgressProcess:
        """Return a server that runs."""
        server = self.servers[place]
        assert server is not None
        return server


@asynccontextmanager
async def cluster(
    database_url: str, servers: int, *, serving: bool = True, **environment: str
) -> AsyncIterator[Cluster]:
    """Run servers while the context is open; with `serving=False` the test starts them itself."""
    running = Cluster(database_url, environment, [free_port() for _ in range(servers)])
    try:
        if serving:
            await asyncio.gather(*(running.start(place) for place in range(servers)))
        yield running
    finally:
        for place, server in enumerate(running.servers):
            if server is not None:
                server.send(signal.SIGCONT)  # a frozen one cannot be waited for
                await running.end(place, signal.SIGKILL)
