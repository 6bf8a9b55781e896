"""Whether the database node of a connection takes writes, which a read alone does not show."""

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from batches.errors import NodeLeft, NodeNotWritable
from batches.store.connections import AsyncConnection
from batches.store.refusals import UNKNOWN_VARIABLE, code_of

SYNCED = "Synced"
"""The state of a Galera node that has applied all that its cluster committed."""
ONLINE = "ONLINE"
"""The state of a member of a Group Replication group that takes part in it."""
TABLE_DENIED = 1142
"""Most accounts may not read the tables of Group Replication, and MariaDB has none. A member that has left
its group is found without them, too: it is read-only by default."""

_MEMBER_STATE = text(
    "SELECT MEMBER_STATE FROM performance_schema.replication_group_members WHERE MEMBER_ID = @@server_uuid"
)


async def require_writable(connection: AsyncConnection) -> None:
    """Check that the node takes writes; leave it if it does not.

    A primary that was demoted keeps its connections. The next check connects anew: the proxy or the name of
    the database may lead to another node by then.

    Raises:
        NodeLeft: the node is not in step with its cluster.
        NodeNotWritable: the node is read-only.

    """
    if connection.dialect.name == "sqlite":
        await connection.execute(text("SELECT 1"))
    elif (reason := await _why_not_writable(connection)) is not None:
        await connection.invalidate()
        raise reason


async def _why_not_writable(connection: AsyncConnection) -> NodeNotWritable | None:
    state = (await connection.execute(text("SHOW STATUS LIKE 'wsrep_local_state_comment'"))).first()
    if state is not None and state[1] != SYNCED:
        return NodeLeft()
    if await _member_state(connection) not in {ONLINE, None}:
        return NodeLeft()
    read_only = await connection.scalar(text("SELECT @@GLOBAL.read_only"))
    return NodeNotWritable() if str(read_only) not in {"0", "OFF"} else None


async def _member_state(connection: AsyncConnection) -> str | None:
    """Return the state in the group; None for a server without one, or if the account may not know it."""
    try:
        state: str | None = await connection.scalar(_MEMBER_STATE)
    except DBAPIError as error:
        if code_of(error) not in {TABLE_DENIED, UNKNOWN_VARIABLE}:
            raise
        return None
    return state
