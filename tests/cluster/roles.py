"""The roles of nodes: which one takes writes, and what haproxy needs to ask for it."""

from database_servers import DatabaseServer
from tests.cluster.database_cluster import run

CHECK_ACCOUNT = "CREATE USER haproxy_check@'127.0.0.1'"
"""As deploy/haproxy/database.cfg says; MySQL and MariaDB create it without a password."""


async def make_reader(node: DatabaseServer) -> None:
    """Let a node refuse the writes of clients, as a fail-over tool does."""
    if node.engine == "mysql":
        await run(node, "SET GLOBAL super_read_only = ON")
    else:
        await run(node, "SET GLOBAL read_only = ON")


async def make_writer(node: DatabaseServer) -> None:
    """Let a node take writes."""
    await run(node, "SET GLOBAL read_only = OFF")
