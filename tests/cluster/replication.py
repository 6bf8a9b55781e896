"""Two MySQL servers of this machine, of which one replicates the other, and a person who fails over."""

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from database_servers import DatabaseServer, DatabaseServerUnavailable, database_server
from tests.cluster.database_cluster import administrator, run
from tests.cluster.roles import CHECK_ACCOUNT, make_reader, make_writer
from tests.support import not_run
from tests.support.eventually import eventually

OPTIONS = (
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--log-bin=binlog",
    "--plugin-load-add=semisync_source.so;semisync_replica.so",
    # As deploy/README.md says: a node that comes back is a reader.
    "--super-read-only=ON",
)
NEVER_MILLISECONDS = 4_294_967_295
"""The longest time-out: without the replica, the source acknowledges nothing rather than alone."""
ACCOUNTS = (
    "SET sql_log_bin = 0",
    CHECK_ACCOUNT,
    "CREATE USER replication@'127.0.0.1' IDENTIFIED BY 'replication'",
    "GRANT REPLICATION SLAVE ON *.* TO replication@'127.0.0.1'",
    "SET sql_log_bin = 1",
    "RESET BINARY LOGS AND GTIDS",
)
FOLLOW = (
    "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {port}, "
    "SOURCE_USER = 'replication', SOURCE_PASSWORD = 'replication', SOURCE_AUTO_POSITION = 1, "
    "GET_SOURCE_PUBLIC_KEY = 1"
)
STATUS = "SHOW REPLICA STATUS"
CLIENTS = "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_clients'"


class Pair:
    """A node that takes writes, and one that replicates it.

    Args:
        source: The first node to take writes.
        replica: The other one.
        semi_synchronous: Whether the source acknowledges only what the replica has.

    """

    def __init__(self, source: DatabaseServer, replica: DatabaseServer, *, semi_synchronous: bool) -> None:
        self.label = f"{'semi-synchronous' if semi_synchronous else 'asynchronous'} replication, MySQL"
        self.nodes = (source, replica)
        self.source, self.replica = source, replica
        self._semi_synchronous = semi_synchronous
        self._is_whole = True

    async def form(self) -> None:
        """Let the replica follow, and the source take writes."""
        for node in self.nodes:
            await make_writer(node)
            await run(node, *ACCOUNTS)
        await self._follow()

    async def new_database(self) -> str:
        """Create a database on the source and wait until the replica has it; return its name."""
        name = f"batchprogress_{uuid4().hex[:12]}"
        await run(self.source, f"CREATE DATABASE {name}")
        await self.until_equal()
        return name

    async def until_equal(self) -> None:
        """Wait until the replica has everything of the source."""
        async with administrator(self.source) as connection:
            everything = await connection.scalar(text("SELECT @@global.gtid_executed"))
        await _wait_for(self.replica, str(everything))

    async def stop_replicating(self) -> None:
        """Let the replica fall behind, as when its network is slow."""
        await run(self.replica, "STOP REPLICA IO_THREAD")

    async def fail_over(self) -> None:
        """Let the replica take over from a source that is dead, with all that it has received."""
        self.source, self.replica, self._is_whole = self.replica, self.source, False
        await run(self.source, "STOP REPLICA IO_THREAD")
        await _wait_for(self.source, str((await _status(self.source))["Retrieved_Gtid_Set"]))
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
        await make_writer(self.replica)
        await run(self.replica, *ACCOUNTS)
        await self._follow()
        self._is_whole = True

    async def _follow(self) -> None:
        """Let the replica follow the source, which takes writes only then."""
        source, replica = self.source, self.replica
        enabled = "ON" if self._semi_synchronous else "OFF"
        await make_reader(replica)
        await run(
            replica,
            "SET GLOBAL rpl_semi_sync_source_enabled = OFF",
            f"SET GLOBAL rpl_semi_sync_replica_enabled = {enabled}",
            FOLLOW.format(port=source.port),
            "START REPLICA",
        )
        await run(
            source,
            f"SET GLOBAL rpl_semi_sync_source_enabled = {enabled}",
            f"SET GLOBAL rpl_semi_sync_source_timeout = {NEVER_MILLISECONDS}",
        )
        if self._semi_synchronous:
            await eventually(partial(_has_client, source))
        await make_writer(source)


async def _wait_for(node: DatabaseServer, transactions: str) -> None:
    """Wait until a node has applied these transactions."""
    async with administrator(node) as connection:
        await connection.execute(text("SELECT WAIT_FOR_EXECUTED_GTID_SET(:all)"), {"all": transactions})


async def _status(replica: DatabaseServer) -> dict[str, Any]:
    async with administrator(replica) as connection:
        return dict((await connection.exec_driver_sql(STATUS)).mappings().one())


async def _has_client(source: DatabaseServer) -> bool:
    async with administrator(source) as connection:
        row = (await connection.execute(text(CLIENTS))).one()
        return bool(row[1] != "0")


@contextmanager
def pair_of(*, semi_synchronous: bool) -> Iterator[Pair]:
    """Run two nodes while the context is open."""
    try:
        servers = [
            database_server("mysql", extra_options=[*OPTIONS, f"--server-id={number}"], own=True)
            for number in (1, 2)
        ]
    except DatabaseServerUnavailable as error:
        not_run.without(f"no pair of MySQL servers: {error}")
    with ExitStack() as stack:
        source, replica = (stack.enter_context(server) for server in servers)
        pair = Pair(source, replica, semi_synchronous=semi_synchronous)
        with warnings.catch_warnings(action="ignore"):  # MySQL's, about passwords in SQL
            asyncio.run(pair.form())
        yield pair
