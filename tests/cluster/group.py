"""Three MySQL servers of this machine as a Group Replication group."""

import asyncio
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager, suppress
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from database_servers import DatabaseServer, database_server
from database_servers.ports import free_port
from tests.cluster.database_cluster import NODES, DatabaseCluster, administrator, run
from tests.cluster.roles import make_writer
from tests.support import not_run

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
    # Else a node takes writes between its start and its joining, which nobody else gets; then it cannot join.
    "--super-read-only=ON",
    # As docs/databases.md says: with the default, 5 s, a dead member holds up the others for 10 to 25 s.
    "--loose-group_replication_member_expel_timeout=0",
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
MEMBERS = text(
    "SELECT MEMBER_PORT, MEMBER_STATE, MEMBER_ROLE FROM performance_schema.replication_group_members"
)
ONLINE = "ONLINE"
PRIMARY = "PRIMARY"
VERSION = text("SELECT VERSION()")


class Group(DatabaseCluster):
    """A group with one primary, or several."""

    checked_as = "replication"

    async def takes_part(self, node: DatabaseServer, size: int = NODES) -> bool:
        """Return whether the node sees this number of members, all ONLINE, and a primary."""
        try:
            members = await self._members(node)
        except (DBAPIError, OSError):
            return False
        states = [state for state, _ in members.values()]
        return states == [ONLINE] * size and PRIMARY in {role for _, role in members.values()}

    async def writers(self) -> Sequence[DatabaseServer]:
        """Return the primaries, as a member sees them."""
        for node in self.nodes:
            with suppress(DBAPIError, OSError):
                members = await self._members(node)
                if members.get(node.port, ("", ""))[0] == ONLINE:
                    return [one for one in self.nodes if members.get(one.port) == (ONLINE, PRIMARY)]
        raise AssertionError("no node is a member")

    async def switch_over(self, old: DatabaseServer, new: DatabaseServer) -> None:
        """Make another node the primary."""
        async with administrator(new) as connection:
            uuid = await connection.scalar(text("SELECT @@server_uuid"))
        await run(old, f"SELECT group_replication_set_as_primary('{uuid}')")

    async def give_back(self, old: DatabaseServer) -> None:
        """Do nothing: it takes part as a reader."""

    async def expel(self, node: DatabaseServer) -> None:
        """Let a node leave the group; it becomes read-only, as one that was expelled."""
        await run(node, "STOP GROUP_REPLICATION")

    async def start_again(self, node: DatabaseServer) -> None:
        """Start a node, and let it join."""
        await asyncio.to_thread(node.resume)
        await asyncio.to_thread(node.start)
        await run(node, "START GROUP_REPLICATION")

    def cut_off(self, node: DatabaseServer) -> AbstractAsyncContextManager[None]:  # noqa: ARG002
        """Skip the test: it needs a network for each node."""
        not_run.absent("a partition of Group Replication, whose nodes share one network here")

    async def _members(self, seen_from: DatabaseServer) -> dict[int, tuple[str, str]]:
        """Return the state and the role of each member by its port."""
        async with administrator(seen_from) as connection:
            return {int(port): (state, role) for port, state, role in await connection.execute(MEMBERS)}


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
        yield asyncio.run(_formed(nodes, "several primaries" if multi_primary else "one primary"))


async def _formed(nodes: Sequence[DatabaseServer], kind: str) -> Group:
    bootstrap = "SET GLOBAL group_replication_bootstrap_group = {}"
    with warnings.catch_warnings(action="ignore"):  # MySQL's, about passwords in SQL
        for node in nodes:
            await make_writer(node)
            await run(node, *REPLICATION_ACCOUNT)
        first, *others = nodes
        await run(first, bootstrap.format("ON"), "START GROUP_REPLICATION", bootstrap.format("OFF"))
        for node in others:
            await run(node, "START GROUP_REPLICATION")
    async with administrator(first) as connection:
        version = await connection.scalar(VERSION)
    group = Group(f"Group Replication, {kind}, MySQL {str(version).split('-')[0]}", nodes)
    await group.until_whole()
    return group
