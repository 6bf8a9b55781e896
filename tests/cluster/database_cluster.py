"""What the scenarios can do with a cluster of databases, whichever its engine."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Literal
from uuid import uuid4

from sqlalchemy import NullPool, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from batches.migrations import migrate
from batches.store import schema
from batches.store.database import Database
from database_servers import DatabaseServer
from tests.support.eventually import eventually

NODES = 3
"""The smallest number of which one may fail."""
WHOLE_SECONDS_MAX = 120.0
"""How long a node may take to come back, on a busy machine and with a copy of all data."""


@asynccontextmanager
async def administrator(node: DatabaseServer) -> AsyncIterator[AsyncConnection]:
    """Connect to a node outside of all pools, in autocommit mode."""
    engine = create_async_engine(node.url("mysql"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def run(node: DatabaseServer, *statements: str) -> None:
    """Run statements on a node."""
    async with administrator(node) as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


class DatabaseCluster(ABC):
    """Nodes that hold the same data.

    Args:
        label: The engine and its version, for the table of figures.
        nodes: The nodes, of which the first has founded the cluster.

    """

    def __init__(self, label: str, nodes: Sequence[DatabaseServer]) -> None:
        self.label = label
        self.nodes = nodes
        self._tables: list[str] = []

    checked_as: Literal["replication", "galera"]
    """How haproxy asks for the role of a node."""

    @abstractmethod
    async def takes_part(self, node: DatabaseServer, size: int = NODES) -> bool:
        """Return whether a node has all data of the cluster, and sees this number of nodes."""

    @abstractmethod
    async def writers(self) -> Sequence[DatabaseServer]:
        """Return the nodes that take writes."""

    @abstractmethod
    async def switch_over(self, old: DatabaseServer, new: DatabaseServer) -> None:
        """Make another node the one that takes writes, as for the maintenance of the old one."""

    @abstractmethod
    async def give_back(self, old: DatabaseServer) -> None:
        """Let the old node take part again after its maintenance."""

    @abstractmethod
    async def expel(self, node: DatabaseServer) -> None:
        """Remove a node from the cluster while it keeps running."""

    @abstractmethod
    async def start_again(self, node: DatabaseServer) -> None:
        """Start a node that was killed, shut down or expelled; it joins the cluster."""

    @abstractmethod
    def cut_off(self, node: DatabaseServer) -> AbstractAsyncContextManager[None]:
        """Cut a node off from the others, but not from clients, while the context is open."""

    async def writer(self) -> DatabaseServer:
        """Return the first node that takes writes."""
        return (await self.writers())[0]

    async def is_whole(self) -> bool:
        """Return whether every node takes part."""
        return all([await self.takes_part(node) for node in self.nodes])

    async def until_whole(self) -> None:
        """Wait until every node takes part."""
        await eventually(self.is_whole, WHOLE_SECONDS_MAX)

    async def goes_on_without(self, node: DatabaseServer) -> bool:
        """Return whether the other nodes have noticed that this one is gone, and go on."""
        return all([await self.takes_part(one, NODES - 1) for one in self.nodes if one is not node])

    async def mend(self) -> None:
        """Start the nodes again that a failed test left outside of the cluster."""
        for node in self.nodes:
            if not await self.takes_part(node):
                await self.start_again(node)
        await self.until_whole()

    async def new_database(self) -> list[str]:
        """Create a database; return its URL on each node."""
        name = f"batchprogress_{uuid4().hex[:12]}"
        await run(await self.writer(), f"CREATE DATABASE {name}")
        for node in self.nodes:
            await eventually(partial(_exists, node, name))
        return [node.url(name) for node in self.nodes]

    async def empty_tables(self) -> list[str]:
        """Return the URLs of a database with empty tables on each node; the next call empties them again."""
        writer = self.nodes.index(await self.writer())
        if not self._tables:
            self._tables = await self.new_database()
            await upgrade(self._tables[writer])
        name = make_url(self._tables[writer]).database
        tables = [f"{name}.{table.name}" for table in schema.metadata.sorted_tables]
        await run(self.nodes[writer], *(f"TRUNCATE TABLE {table}" for table in tables))
        return self._tables

    async def hold_applier(self, node: DatabaseServer, seconds: float) -> None:
        """Let a node apply nothing of what others commit, for a while."""
        async with administrator(node) as connection:
            await connection.exec_driver_sql("FLUSH TABLES WITH READ LOCK")
            await asyncio.sleep(seconds)
            await connection.exec_driver_sql("UNLOCK TABLES")


async def upgrade(url: str) -> None:
    """Bring the tables of a database up to date."""
    database = Database(url, connections_max=2)
    try:
        await migrate.upgrade(database)
        await migrate.require_usable(database)
    finally:
        await database.close()


async def _exists(node: DatabaseServer, database: str) -> bool:
    query = text("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = :name")
    async with administrator(node) as connection:
        return bool(await connection.scalar(query, {"name": database}))
