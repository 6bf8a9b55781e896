"""What every row uses: the stores, the contestants, and measuring them in turns."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import count
from tempfile import TemporaryDirectory

from batches.store.database import Database
from bench.load.processes import peer_process, progress_process
from bench.load.workload import Pace, Workload
from bench.measure.contestants import Contestant, CountingPeer, InsertOnly, NotCountingPeer, OurServer
from bench.measure.measure import Measurement, measure
from bench.measure.stores import MysqlServer, with_tables
from database_servers.redis import RedisServer

OURS = "ours"
Fill = Callable[[Database], Awaitable[None]]
"""Inserts rows into new tables before a server starts on them."""


class Run:
    """One run of the benchmark.

    Args:
        mysql: The MySQL server of all rows.
        redis: The Redis server of all rows.
        pace: How often and how long each contestant is measured.
        tell: Called with a line for each measurement as soon as it is made.

    """

    def __init__(
        self, mysql: MysqlServer, redis: RedisServer, pace: Pace, tell: Callable[[str], None]
    ) -> None:
        self._mysql = mysql
        self._redis = redis
        self.tell = tell
        self._databases = count(1)
        self.pace = pace

    @asynccontextmanager
    async def ours(
        self,
        name: str = OURS,
        *,
        processes: int = 1,
        fill: Fill | None = None,
        on_sqlite: bool = False,
        **settings: str,
    ) -> AsyncIterator[OurServer]:
        """Run our server on a new database while the context is open.

        Args:
            name: How the report calls it.
            processes: The number of processes of the server.
            fill: Fills the tables before the server starts.
            on_sqlite: Use a file of SQLite, whose CPU time is part of the server's, instead of MySQL.
            settings: Settings that differ from the defaults.

        """
        async with AsyncExitStack() as stack:
            tables = self.sqlite_tables() if on_sqlite else self.tables()
            url, database = await stack.enter_async_context(tables)
            if fill is not None:
                await fill(database)
            settings = {"PROGRESS_PROCESSES": str(processes), **settings}
            server = await stack.enter_async_context(progress_process(url, **settings))
            pids = [server.pid, *server.children]
            yield OurServer(name, [server.target], pids, [] if on_sqlite else self._mysql.pids, database)

    @asynccontextmanager
    async def mysql_peer(self, name: str, peer: str) -> AsyncIterator[Contestant]:
        """Run a peer on a new MySQL database while the context is open."""
        async with self._new_database() as url, peer_process(peer, url) as process:
            yield CountingPeer(name, [process.target], [process.pid], self._mysql.pids)

    @asynccontextmanager
    async def redis_peer(self, name: str, peer: str) -> AsyncIterator[Contestant]:
        """Run a peer on the shared Redis while the context is open; each window has new batch ids."""
        async with peer_process(peer, self._redis.url) as process:
            yield CountingPeer(name, [process.target], [process.pid], [self._redis.pid])

    @property
    def mysql_pids(self) -> list[int]:
        """The processes of MySQL; empty if its CPU time cannot be read."""
        return self._mysql.pids

    @property
    def redis_url(self) -> str:
        """The URL of Redis."""
        return self._redis.url

    @asynccontextmanager
    async def empty_handler(self) -> AsyncIterator[NotCountingPeer]:
        """Run the server that only answers while the context is open."""
        async with peer_process("empty", "") as process:
            yield NotCountingPeer("empty handler", [process.target], [process.pid], [])

    @asynccontextmanager
    async def bare_stream(self, name: str, total_jobs: int) -> AsyncIterator[NotCountingPeer]:
        """Run the server that only streams; its streams end after `total_jobs` results."""
        async with peer_process("bare_stream", str(total_jobs)) as process:
            yield NotCountingPeer(name, [process.target], [process.pid], [])

    @asynccontextmanager
    async def insert_only(self) -> AsyncIterator[Contestant]:
        """Make a new database with our tables for the process that only inserts."""
        async with self.tables() as (url, database):
            yield InsertOnly("multi-row INSERT alone", self._mysql.pids, url, database)

    @asynccontextmanager
    async def insert_only_on_sqlite(self, name: str, rows_per_statement: int) -> AsyncIterator[Contestant]:
        """Make a new file of SQLite with our tables for the process that only inserts."""
        async with self.sqlite_tables() as (url, database):
            yield InsertOnly(name, [], url, database, rows_per_statement)

    @asynccontextmanager
    async def sqlite_tables(self) -> AsyncIterator[tuple[str, Database]]:
        """Make a new file of SQLite with our tables; yield its URL and a connection for checks."""
        with TemporaryDirectory(prefix="batchprogress-bench-") as folder:
            url = f"sqlite+aiosqlite:///{folder}/bench.db"
            async with with_tables(url) as database:
                yield url, database

    @asynccontextmanager
    async def tables(self) -> AsyncIterator[tuple[str, Database]]:
        """Make a new database with our tables; yield its URL and a connection for checks."""
        async with self._new_database() as url, with_tables(url) as database:
            yield url, database

    async def take_turns(
        self,
        contestants: Mapping[Contestant, Workload],
        *,
        warm_up_factor: float = 1,
        rounds: int | None = None,
    ) -> dict[str, list[Measurement]]:
        """Measure each contestant under its load, one after the other, round after round.

        They take turns, so that slow changes of the machine affect all contestants equally.
        """
        pace = replace(self.pace, warm_up_seconds=self.pace.warm_up_seconds * warm_up_factor)
        measurements: dict[str, list[Measurement]] = {one.name: [] for one in contestants}
        for _ in range(rounds or pace.rounds):
            for contestant, workload in contestants.items():
                measurement = await measure(contestant, workload, pace)
                measurements[contestant.name].append(measurement)
                self.tell(str(measurement))
        return measurements

    async def measure_once(self, contestant: Contestant, workload: Workload) -> Measurement:
        """Measure one window."""
        seen = await self.take_turns({contestant: workload}, rounds=1)
        return seen[contestant.name][0]

    @asynccontextmanager
    async def _new_database(self) -> AsyncIterator[str]:
        async with self._mysql.database(f"bench_{next(self._databases)}") as url:
            yield url
