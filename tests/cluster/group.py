"""Three MySQL servers of this machine as a Group Replication group."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from database_servers import DatabaseServer, database_server
from database_servers.ports import free_port
from tests.support.eventually import eventually

NODES = 3
"""The smallest number of which one may fail."""
OPTIONS = (
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--log-bin=binlog",
    "--performance-schema=ON",
    "--mysqlx=OFF",
    "--report-host=127.0.0.1",
    "--plugin-load-add=group_replication.so",
    "--loose-group_replication_recovery_get_public_key=ON",
    "--loose-group_replication_start_on_boot=OFF",
)
MULTI_PRIMARY = (
    "--loose-group_replication_single_primary_mode=OFF",
    "--loose-group_replication_enforce_update_everywhere_checks=ON",
)
RIGHTS = "REPLICATION SLAVE, CONNECTION_ADMIN, BACKUP_ADMIN, GROUP_REPLICATION_STREAM"
SOURCE = "SOURCE_USER = 'replication', SOURCE_PASSWORD = 'replication'"
REPLICATION_ACCOUNT = (
    "SET sql_log_bin = 0",
    "CREATE USER replication@'127.0.0.1' IDENTIFIED BY 'replication'",
    f"GRANT {RIGHTS} ON *.* TO replication@'127.0.0.1'",
    "SET sql_log_bin = 1",
    f"CHANGE REPLICATION SOURCE TO {SOURCE} FOR CHANNEL 'group_replication_recovery'",
    "RESET BINARY LOGS AND GTIDS",
)
_SCHEMAS_OF_NAME = text("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = :name")
MEMBERS = "SELECT MEMBER_PORT, MEMBER_STATE, MEMBER_ROLE FROM performance_schema.replication_group_members"


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


@dataclass(frozen=True, slots=True)
class Group:
    """The nodes, of which the first has started the group."""

    nodes: Sequence[DatabaseServer]

    async def members(self, seen_from: int = 0) -> dict[int, tuple[str, str]]:
        """Return the state and the role of each member by its port, as a node sees them."""
        async with administrator(self.nodes[seen_from]) as connection:
            rows = await connection.execute(text(MEMBERS))
            return {int(port): (state, role) for port, state, role in rows}

    async def all_online(self) -> bool:
        """Return whether every node is a member that takes part."""
        states = [state for state, _ in (await self.members()).values()]
        return states == ["ONLINE"] * NODES

    async def make_primary(self, node: DatabaseServer) -> None:
        """Switch over to another primary, as for its maintenance."""
        async with administrator(node) as connection:
            uuid = await connection.scalar(text("SELECT @@server_uuid"))
        await run(self.nodes[0], f"SELECT group_replication_set_as_primary('{uuid}')")

    async def new_database(self) -> list[str]:
        """Create a database; return its URL on each node."""
        name = f"batchprogress_{uuid4().hex[:12]}"
        async with administrator(await self.primary()) as connection:
            await connection.exec_driver_sql(f"CREATE DATABASE {name}")
        urls = [node.url(name) for node in self.nodes]
        for node in self.nodes:
            await eventually(partial(_exists, node, name))
        return urls

    async def primary(self) -> DatabaseServer:
        """Return a node that takes writes."""
        members = await self.members()
        return next(node for node in self.nodes if members[node.port][1] == "PRIMARY")


async def _exists(node: DatabaseServer, database: str) -> bool:
    async with administrator(node) as connection:
        found = await connection.scalar(
            text("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = :name"),
            {"name": database},
        )
    return bool(found)


@contextmanager
def group_of(*, multi_primary: bool) -> Iterator[Group]:
    """Run a group while the context is open."""
    ports = [free_port() for _ in range(NODES)]
    common = (
        *OPTIONS,
        *(MULTI_PRIMARY if multi_primary else ()),
        f"--loose-group_replication_group_name={uuid4()}",
        f"--loose-group_replication_group_seeds={','.join(f'127.0.0.1:{port}' for port in ports)}",
    )
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(database_server("mysql", extra_options=[*common, *own], own=True))
            for own in (
                (f"--server-id={number}", f"--loose-group_replication_local_address=127.0.0.1:{port}")
                for number, port in enumerate(ports, 1)
            )
        ]
        group = Group(nodes)
        asyncio.run(_form(group))
        yield group


async def _form(group: Group) -> None:
    bootstrap = "SET GLOBAL group_replication_bootstrap_group = {}"
    with warnings.catch_warnings(action="ignore"):  # MySQL's, about passwords in SQL
        for node in group.nodes:
            await run(node, *REPLICATION_ACCOUNT)
        first, *others = group.nodes
        await run(first, bootstrap.format("ON"), "START GROUP_REPLICATION", bootstrap.format("OFF"))
        for node in others:
            await run(node, "START GROUP_REPLICATION")
    await eventually(group.all_online)
