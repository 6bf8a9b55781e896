"""Checks that the database server flushes committed transactions to disk."""

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.store.database import Database

SAFE_VALUES = {"innodb_flush_log_at_trx_commit": "1", "sync_binlog": "1"}
"""With these values MySQL writes a transaction to disk before it acknowledges the commit; with others,
acknowledged results may be lost in a crash."""


async def durability_warnings(database: Database) -> list[str]:
    """Return a sentence for each setting of the server that puts acknowledged results at risk."""
    return [] if database.is_sqlite else await database.read(_warnings)


async def _warnings(connection: AsyncConnection) -> list[str]:
    warnings = []
    has_binary_log = await _variable(connection, "log_bin") != "0"
    for name, safe in SAFE_VALUES.items():
        if name == "sync_binlog" and not has_binary_log:  # as in MariaDB's default configuration
            continue
        value = await _variable(connection, name)
        if value not in {safe, None}:
            warnings.append(
                f"{name} is {value}, not {safe}: acknowledged results may be lost if the database crashes."
                f" Set {name} = {safe} on the database server"
            )
    return warnings


async def _variable(connection: AsyncConnection, name: str) -> str | None:
    """Return a variable as text; None if a compatible engine does not have it."""
    try:
        return str(await connection.scalar(text(f"SELECT @@GLOBAL.{name}")))
    except DBAPIError:
        return None
