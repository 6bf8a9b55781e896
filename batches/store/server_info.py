"""Reads what an operator may know about the database and the reconciler."""

from sqlalchemy import func, select

from batches.server_info import ServerInfo
from batches.store.connections import AsyncConnection
from batches.store.passes import read_last_end_time


async def read_server_info(connection: AsyncConnection) -> ServerInfo:
    """Return the kind and version of the database, and when the last pass of the reconciler ended."""
    return ServerInfo(await _database(connection), await read_last_end_time(connection))


async def _database(connection: AsyncConnection) -> str:
    if connection.dialect.name == "sqlite":
        return f"SQLite {await connection.scalar(select(func.sqlite_version()))}"
    version = str(await connection.scalar(select(func.version())))
    kind = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    # What follows the number names the build: 10.11.14-MariaDB-0+deb12u2, 9.7.4-debug.
    return f"{kind} {version.partition('-')[0]}"
