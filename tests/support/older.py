"""Lets time pass for batches, without waiting."""

from datetime import timedelta

from sqlalchemy import update

from batches.store import schema
from batches.store.database import Database

TIMES = (
    (schema.batches, ("create_time", "last_result_time")),
    (schema.looks, ("look_time", "pending_time", "unchanged_since")),
)
"""The columns that say when something last happened to a batch."""


async def make_older(database: Database, by: timedelta) -> None:
    """Move every batch and every look into the past."""
    async with database.engine.begin() as connection:
        for table, columns in TIMES:
            for row in (await connection.execute(table.select())).mappings().all():
                older = {name: row[name] - by for name in columns if row[name] is not None}
                key = table.c.batch_key == row["batch_key"]
                await connection.execute(update(table).where(key).values(older))
