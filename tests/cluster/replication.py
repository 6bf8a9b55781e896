"""Two servers of this machine, of which one replicates the other, and a person who fails over."""

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

from sqlalchemy import make_url, text

from database_servers import DatabaseServer, DatabaseServerUnavailable, database_server
from database_servers.engines import TRAITS, Engine
from tests.cluster.database_cluster import administrator, run
from tests.cluster.replication_sql import SQL
from tests.cluster.roles import CHECK_ACCOUNT, make_reader, make_writer
from tests.support import not_run
from tests.support.eventually import eventually

EQUAL_SECONDS_MAX = 60.0
"""A replica that takes longer does not replicate at all."""
STATUS = "SHOW REPLICA STATUS"


class Pair:
    """A node that takes writes, and one that replicates it.

    Args:
        source: The first node to take writes.
        replica: The other one.
        semi_synchronous: Whether the source acknowledges only what the replica has.

    """

    def __init__(self, source: DatabaseServer, replica: DatabaseServer, *, semi_synchronous: bool) -> None:
        kind = "semi-synchronous" if semi_synchronous else "asynchronous"
        self.label = f"{kind} replication, {TRAITS[source.engine].label}"
        self.nodes = (source, replica)
        self.source, self.replica = source, replica
        self._sql = SQL[source.engine]
        self._semi_synchronous = semi_synchronous
        self._is_whole = True
        self._server_ids = count(1)

    async def form(self) -> None:
        """Let the replica follow, and the source take writes."""
        for node in self.nodes:
            await self._make_empty(node)
        await self._follow()

    def url(self, node: DatabaseServer, database: str) -> str:
        """Return the URL of a database for an account whose writes read_only refuses."""
        url = make_url(node.url(database)).set(username=self._sql.user)
        return url.render_as_string(hide_password=False)

    async def new_database(self) -> str:
        """Create a database on the source and wait until the replica has it; return its name."""
        name = f"batchprogress_{uuid4().hex[:12]}"
        await run(self.source, f"CREATE DATABASE {name}")
        await self.until_equal()
        return name

    async def until_equal(self) -> None:
        """Wait until the replica has everything of the source."""
        async with administrator(self.source) as connection:
            everything = await connection.scalar(text(self._sql.everything))
        await self._wait_for(self.replica, str(everything))

    async def stop_replicating(self) -> None:
        """Let the replica fall behind, as when its network is slow."""
        await run(self.replica, "STOP REPLICA IO_THREAD")

    async def fail_over(self) -> None:
        """Let the replica take over from a source that is dead, with all that it has received."""
        self.source, self.replica, self._is_whole = self.replica, self.source, False
        await run(self.source, "STOP REPLICA IO_THREAD")
        await self._wait_for(self.source, str((await _status(self.source))[self._sql.received]))
        await run(self.source, "STOP REPLICA", "RESET REPLICA ALL")
        await make_writer(self.source)

    async def switch_over(self) -> None:
        """Exchange the roles of two healthy nodes: first no node takes writes, then the other one does."""
        await make_reader(self.source)
        await self.until_equal()
        self.source, self.replica = self.replica, self.source
        await run(self.source, "STOP REPLICA", "RESET REPLICA ALL")
        await self._follow()

    async def make_whole(self) -> None:
        """After a fail-over, let an empty node follow in place of the failed one, which may have more."""
        if self._is_whole:
            return
        await asyncio.to_thread(self.replica.stop)
        await asyncio.to_thread(self.replica.start)
        await self._make_empty(self.replica)
        await self._follow()
        self._is_whole = True

    async def _make_empty(self, node: DatabaseServer) -> None:
        """Give a new node its accounts and an id, and let its history begin.

        With the id of the node that it replaces, it would not replicate what that one has written.
        """
        await make_writer(node)
        await run(
            node,
            f"SET GLOBAL server_id = {next(self._server_ids)}",
            "SET sql_log_bin = 0",
            CHECK_ACCOUNT,
            *self._sql.accounts,
            "SET sql_log_bin = 1",
            *self._sql.reset,
        )

    async def _follow(self) -> None:
        """Let the replica follow the source, which takes writes only then."""
        source, replica = self.source, self.replica
        of_replica, of_source = self._sql.semi_synchronous("ON" if self._semi_synchronous else "OFF")
        await make_reader(replica)
        follow = (statement.format(port=source.port) for statement in self._sql.follow)
        await run(replica, *of_replica, *follow, "START REPLICA")
        await run(source, *of_source)
        if self._semi_synchronous:
            await eventually(partial(self._has_client, source))
        await make_writer(source)

    async def _wait_for(self, node: DatabaseServer, transactions: str) -> None:
        """Wait until a node has applied these transactions."""
        async with asyncio.timeout(EQUAL_SECONDS_MAX), administrator(node) as connection:
            await connection.execute(text(self._sql.wait), {"all": transactions})

    async def _has_client(self, source: DatabaseServer) -> bool:
        async with administrator(source) as connection:
            row = (await connection.execute(text(self._sql.clients))).one()
            return bool(row[1] != "0")


async def _status(replica: DatabaseServer) -> dict[str, Any]:
    async with administrator(replica) as connection:
        return dict((await connection.exec_driver_sql(STATUS)).mappings().one())


@contextmanager
def pair_of(engine: Engine, *, semi_synchronous: bool) -> Iterator[Pair]:
    """Run two nodes while the context is open."""
    try:
        servers = [
            database_server(engine, extra_options=[*SQL[engine].options, f"--server-id={number}"], own=True)
            for number in (1, 2)
        ]
    except DatabaseServerUnavailable as error:
        not_run.without(f"no pair of servers: {error}")
    with ExitStack() as stack:
        source, replica = (stack.enter_context(server) for server in servers)
        pair = Pair(source, replica, semi_synchronous=semi_synchronous)
        with warnings.catch_warnings(action="ignore"):  # MySQL's, about passwords in SQL
            asyncio.run(pair.form())
        yield pair
