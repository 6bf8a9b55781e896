"""Three MySQL servers of this machine as a Group Replication group."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from database_servers import DatabaseServer, database_server
from database_servers.ports import free_port
from tests.cluster.database_cluster import NODES, DatabaseCluster, administrator, run
from tests.cluster.networks import Networks
from tests.cluster.roles import make_writer
from tests.support import not_run

OPTIONS = (
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--log-bin=binlog",
    "--performance-schema=ON",
    "--mysqlx=OFF",
    "--plugin-load-add=group_replication.so",
    "--loose-group_replication_recovery_get_public_key=ON",
    "--loose-group_replication_start_on_boot=OFF",
    # Else a node takes writes between its start and its joining, which nobody else gets; then it cannot join.
    "--super-read-only=ON",
    # As docs/databases.md says: with the default, 5 s, a dead member holds up the others for 10 to 25 s.
    "--loose-group_replication_member_expel_timeout=0",
)
LOCAL = "127.0.0.1"
MULTI_PRIMARY = (
    "--loose-group_replication_single_primary_mode=OFF",
    "--loose-group_replication_enforce_update_everywhere_checks=ON",
)
RIGHTS = "REPLICATION SLAVE, CONNECTION_ADMIN, BACKUP_ADMIN, GROUP_REPLICATION_STREAM"
SOURCE = "SOURCE_USER = 'replication', SOURCE_PASSWORD = 'replication'"
REPLICATION_ACCOUNT = (
    "SET sql_log_bin = 0",
    "CREATE USER replication@'%%' IDENTIFIED BY 'replication'",
    f"GRANT {RIGHTS} ON *.* TO replication@'%%'",
    "SET sql_log_bin = 1",
    f"CHANGE REPLICATION SOURCE TO {SOURCE} FOR CHANNEL 'group_replication_recovery'",
    "RESET BINARY LOGS AND GTIDS",
)
MEMBERS = text(
    "SELECT MEMBER_PORT, MEMBER_STATE, MEMBER_ROLE FROM performance_schema.replication_group_members"
)
IS_MEMBER = text(
    "SELECT COUNT(*) FROM performance_schema.replication_group_members"
    " WHERE MEMBER_ID = @@server_uuid AND MEMBER_STATE IN ('RECOVERING', 'ONLINE')"
)
ONLINE = "ONLINE"
PRIMARY = "PRIMARY"
VERSION = text("SELECT VERSION()")


class Group(DatabaseCluster):
    """A group with one primary, or several.

    Args:
        label: The engine and its version, for the table of figures.
        nodes: The nodes, of which the first has founded the group.
        networks: Their networks; None if they share that of this machine.

    """

    checked_as = "replication"

    def __init__(self, label: str, nodes: Sequence[DatabaseServer], networks: Networks | None) -> None:
        super().__init__(label, nodes)
        self._networks = networks

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
        """Start a node, and let it join unless it is a member, as the others are while one is away."""
        await asyncio.to_thread(node.resume)
        await asyncio.to_thread(node.start)
        async with administrator(node) as connection:
            is_member = await connection.scalar(IS_MEMBER)
        if not is_member:
            await run(node, "START GROUP_REPLICATION")

    @asynccontextmanager
    async def cut_off(self, node: DatabaseServer) -> AsyncIterator[None]:
        """Cut the link between a node and the others; clients still reach it."""
        if self._networks is None:
            not_run.absent("a partition of Group Replication, whose nodes share one network here")
        place = self.nodes.index(node)
        self._networks.set_link(place, "down")
        try:
            yield
        finally:
            self._networks.set_link(place, "up")

    async def _members(self, seen_from: DatabaseServer) -> dict[int, tuple[str, str]]:
        """Return the state and the role of each member by its port."""
        async with administrator(seen_from) as connection:
            return {int(port): (state, role) for port, state, role in await connection.execute(MEMBERS)}


@contextmanager
def group_of(*, multi_primary: bool, networks: Networks | None = None) -> Iterator[Group]:
    """Run a group while the context is open.

    Args:
        multi_primary: Whether each node takes writes.
        networks: One for each node; None: they share that of this machine.

    """
    addresses = [LOCAL] * NODES if networks is None else networks.addresses
    members = [f"{address}:{free_port()}" for address in addresses]
    common = (
        *OPTIONS,
        *(MULTI_PRIMARY if multi_primary else ()),
        f"--loose-group_replication_group_name={uuid4()}",
        f"--loose-group_replication_group_seeds={','.join(members)}",
    )
    with ExitStack() as stack:
        nodes = []
        for place, (address, local) in enumerate(zip(addresses, members, strict=True)):
            own = (
                f"--server-id={place + 1}",
                f"--report-host={address}",
                f"--bind-address={','.join(dict.fromkeys((LOCAL, address)))}",
                f"--loose-group_replication_local_address={local}",
            )
            node = database_server("mysql", extra_options=[*common, *own], own=True)
            if networks is not None:
                stack.enter_context(networks.attached(place, node))
            nodes.append(stack.enter_context(node))
        kind = "several primaries" if multi_primary else "one primary"
        yield asyncio.run(_formed(nodes, kind, networks))


@contextmanager
def group_in_networks() -> Iterator[Group]:
    """Run a group with several primaries whose nodes can be cut off from each other."""
    networks = Networks(NODES)
    with networks.made(), group_of(multi_primary=True, networks=networks) as group:
        yield group


async def _formed(nodes: Sequence[DatabaseServer], kind: str, networks: Networks | None) -> Group:
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
    label = f"Group Replication, {kind}, MySQL {str(version).split('-')[0]}"
    group = Group(label, nodes, networks)
    await group.until_whole()
    return group
