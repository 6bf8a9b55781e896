"""What a row is given: the stores, the contestants to measure, and the taking of turns."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import count

from batches.migrations import migrate
from batches.store.database import Database
from bench.load.workload import Pace, Workload
from bench.measure.contestants import Contestant, CountingPeer, InsertOnly, NotCountingPeer, OurServer
from bench.measure.measure import Measurement, measure
from bench.measure.processes import peer_process
from bench.measure.stores import MysqlServer
from bench.report.markdown import line_of
from database_servers.redis import RedisServer
from tests.support.progress import progress_process

OURS = "ours"
Fill = Callable[[Database], Awaitable[None]]
"""Puts rows into new tables before a server is started on them."""


class Run:
    """One run of the benchmark."""

    def __init__(
        self, mysql: MysqlServer, redis: RedisServer, pace: Pace, tell: Callable[[str], None]
    ) -> None:
        """Take what all rows share, and who hears a line of each measurement as it is made."""
        self._mysql = mysql
        self._redis = redis
        self.tell = tell
        self._databases = count(1)
        self.pace = pace

    @asynccontextmanager
    async def ours(
        self, name: str = OURS, *, processes: int = 1, fill: Fill | None = None, **settings: str
    ) -> AsyncIterator[OurServer]:
        """Run our server, in so many processes on one new database, which may be filled before.

        It has its defaults, except for the settings given.
        """
        async with AsyncExitStack() as stack:
            url, database = await stack.enter_async_context(self.tables())
            if fill is not None:
                await fill(database)
            servers = [
                await stack.enter_async_context(progress_process(url, **settings)) for _ in range(processes)
            ]
            targets, pids = [server.target for server in servers], [server.pid for server in servers]
            yield OurServer(name, targets, pids, self._mysql.pids, database)

    @asynccontextmanager
    async def mysql_peer(self, name: str, peer: str) -> AsyncIterator[Contestant]:
        """Run a peer on a new database."""
        async with self._new_database() as url, peer_process(peer, url) as process:
            yield CountingPeer(name, [process.target], [process.pid], self._mysql.pids)

    @asynccontextmanager
    async def redis_peer(self, name: str, peer: str) -> AsyncIterator[Contestant]:
        """Run a peer on Redis; batch ids are new in each window, so that peers may share it."""
        async with peer_process(peer, self._redis.url) as process:
            yield CountingPeer(name, [process.target], [process.pid], [self._redis.pid])

    @property
    def redis_url(self) -> str:
        """Where Redis serves."""
        return self._redis.url

    @asynccontextmanager
    async def empty_handler(self) -> AsyncIterator[Contestant]:
        """Run the server that does nothing."""
        async with peer_process("empty", "") as process:
            yield NotCountingPeer("empty handler", [process.target], [process.pid], [])

    @asynccontextmanager
    async def bare_stream(self, name: str, total_jobs: int) -> AsyncIterator[NotCountingPeer]:
        """Run the server that only streams, until it was sent so many results."""
        async with peer_process("bare_stream", str(total_jobs)) as process:
            yield NotCountingPeer(name, [process.target], [process.pid], [])

    @asynccontextmanager
    async def insert_only(self) -> AsyncIterator[Contestant]:
        """Give the INSERTs a new database with our tables."""
        async with self.tables() as (url, database):
            yield InsertOnly("multi-row INSERT alone", self._mysql.pids, url, database)

    @asynccontextmanager
    async def tables(self) -> AsyncIterator[tuple[str, Database]]:
        """Make a new database with our tables; yields its URL, and a connection to look into it."""
        async with self._new_database() as url, _upgraded(url) as database:
            yield url, database

    async def take_turns(
        self,
        contestants: Mapping[Contestant, Workload],
        *,
        warm_up_factor: float = 1,
        rounds: int | None = None,
    ) -> dict[str, list[Measurement]]:
        """Measure each under its load, one after the other, round after round.

        What drifts on the machine drifts for all.
        """
        pace = replace(self.pace, warm_up_seconds=self.pace.warm_up_seconds * warm_up_factor)
        measurements: dict[str, list[Measurement]] = {one.name: [] for one in contestants}
        for _ in range(rounds or pace.rounds):
            for contestant, workload in contestants.items():
                measurement = await measure(contestant, workload, pace)
                measurements[contestant.name].append(measurement)
                self.tell(line_of(measurement))
        return measurements

    async def measure_once(self, contestant: Contestant, workload: Workload) -> Measurement:
        """Measure one window."""
        seen = await self.take_turns({contestant: workload}, rounds=1)
        return seen[contestant.name][0]

    @asynccontextmanager
    async def _new_database(self) -> AsyncIterator[str]:
        async with self._mysql.database(f"bench_{next(self._databases)}") as url:
            yield url


@asynccontextmanager
async def _upgraded(url: str) -> AsyncIterator[Database]:
    """Make our tables, and stay connected to look at them."""
    database = Database(url, connections_max=1)
    try:
        await migrate.upgrade(database)
        yield database
    finally:
        await database.close()
