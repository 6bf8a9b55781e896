"""Three nodes of MariaDB as a Galera cluster of this machine."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from database_servers import DatabaseServer
from database_servers.galera import galera_nodes
from tests.cluster.database_cluster import NODES, DatabaseCluster, administrator, run

SYNCED = "Synced"
STATE = text("SHOW STATUS LIKE 'wsrep_local_state_comment'")
SIZE = text("SHOW STATUS LIKE 'wsrep_cluster_size'")
NODE_ID = text("SHOW STATUS LIKE 'wsrep_gcomm_uuid'")
ISOLATE = "SET GLOBAL wsrep_provider_options = 'gmcast.isolate={}'"

SOON = (
    "evs.keepalive_period=PT0.3S",
    "evs.inactive_check_period=PT0.2S",
    "evs.suspect_timeout=PT1S",
    "evs.inactive_timeout=PT3S",
    "evs.install_timeout=PT3S",
)
"""Galera suspects a silent node after 1 s instead of 5, so that a test in quick size need not wait."""


class Galera(DatabaseCluster):
    """A cluster whose nodes all take writes."""

    checked_as = "galera"

    async def takes_part(self, node: DatabaseServer, size: int = NODES) -> bool:
        """Return whether the node is Synced, and sees this number of nodes."""
        try:
            async with administrator(node) as connection:
                seen = [(await connection.execute(query)).one()[1] for query in (STATE, SIZE)]
        except (DBAPIError, OSError):
            return False
        return seen == [SYNCED, str(size)]

    async def writers(self) -> Sequence[DatabaseServer]:
        """Return all nodes."""
        return self.nodes

    async def switch_over(self, old: DatabaseServer, new: DatabaseServer) -> None:
        """Shut the old node down: every other one takes writes already."""
        assert new in self.nodes
        await asyncio.to_thread(old.shut_down)

    async def give_back(self, old: DatabaseServer) -> None:
        """Start the old node again."""
        await asyncio.to_thread(old.start)

    async def expel(self, node: DatabaseServer) -> None:
        """Evict a node, as Galera does with one that is slow again and again."""
        async with administrator(node) as connection:
            node_id = (await connection.execute(NODE_ID)).one()[1]
        other = next(one for one in self.nodes if one is not node)
        await run(other, f"SET GLOBAL wsrep_provider_options = 'evs.evict={node_id}'")

    async def start_again(self, node: DatabaseServer) -> None:
        """Start a node; it joins by itself."""
        await asyncio.to_thread(node.kill)
        await asyncio.to_thread(node.start)

    @asynccontextmanager
    async def cut_off(self, node: DatabaseServer) -> AsyncIterator[None]:
        """Let a node drop all messages from and to the others, which Galera itself offers for tests."""
        async with administrator(node) as connection:  # a node without its cluster accepts no other one
            await connection.exec_driver_sql(ISOLATE.format(1))
            try:
                yield
            finally:
                await connection.exec_driver_sql(ISOLATE.format(0))
                await connection.invalidate()  # it refuses a ROLLBACK, too


@contextmanager
def galera(provider_options: Sequence[str] = ()) -> Iterator[Galera]:
    """Run a cluster while the context is open.

    Raises:
        PackageUnavailable, CommandFailed: its packages cannot be downloaded or unpacked.

    """
    version, nodes = galera_nodes(NODES, provider_options)
    with ExitStack() as stack:
        for node in nodes:
            stack.enter_context(node)
        cluster = Galera(f"Galera, MariaDB {version}", nodes)
        asyncio.run(cluster.until_whole())
        yield cluster
