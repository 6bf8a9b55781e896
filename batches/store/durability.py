"""Whether the database keeps what it says it has committed."""

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.store.database import Database

SAFE_VALUES = {"innodb_flush_log_at_trx_commit": "1", "sync_binlog": "1"}
"""With these MySQL writes a transaction to disk before it answers its commit; with others, results that were
acknowledged may be gone after a crash."""


async def durability_warnings(database: Database) -> list[str]:
    """Return a sentence for each setting of the server that risks acknowledged results."""
    return [] if database.is_sqlite else await database.read(_warnings)


async def _warnings(connection: AsyncConnection) -> list[str]:
    warnings = []
    has_binary_log = await _variable(connection, "log_bin") != "0"
    for name, safe in SAFE_VALUES.items():
        if name == "sync_binlog" and not has_binary_log:  # MariaDB's default: nothing is read from it
            continue
        value = await _variable(connection, name)
        if value not in {safe, None}:
            warnings.append(
                f"{name} is {value}, not {safe}: acknowledged results may be lost in a crash of the database"
            )
    return warnings


async def _variable(connection: AsyncConnection, name: str) -> str | None:
    """Return a variable as text; None on a compatible engine that does not have it."""
    try:
        return str(await connection.scalar(text(f"SELECT @@GLOBAL.{name}")))
    except DBAPIError:
        return None
