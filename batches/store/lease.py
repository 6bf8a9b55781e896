"""A lock with a name in the database, that frees itself if its holder dies.

One row, one conditional UPDATE and the database's clock: nothing that only one kind of
MySQL can do (GET_LOCK is no lock across the nodes of a cluster). A holder that sleeps past
its time loses the lease without noticing; so what it protects must be safe without it, and
is: repairs are conditional on revisions. The lease saves doing the same work twice.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.store import schema
from batches.store.sql_functions import database_now

_table = schema.leases.c


async def acquire(connection: AsyncConnection, name: str, holder: str, seconds: float) -> bool:
    """Take or renew the lease for so long; False if another holder has it."""
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    until = now + timedelta(seconds=seconds)
    taken = await connection.execute(
        update(schema.leases)
        .where(_table.name == name, (_table.holder == holder) | (_table.expire_time < now))
        .values(holder=holder, expire_time=until)
    )
    return taken.rowcount > 0 or await _insert(connection, name, holder, until)


async def release(connection: AsyncConnection, name: str, holder: str) -> None:
    """Give the lease back, if it is still the holder's."""
    await connection.execute(delete(schema.leases).where(_table.name == name, _table.holder == holder))


async def _insert(connection: AsyncConnection, name: str, holder: str, until: datetime) -> bool:
    exists = await connection.scalar(select(_table.name).where(_table.name == name))
    if exists is not None:
        return False
    try:
        await connection.execute(insert(schema.leases).values(name=name, holder=holder, expire_time=until))
    except IntegrityError:  # another holder was first; only the statement was undone
        return False
    return True
