"""A named lock in the database that expires if its holder dies.

It needs one row, one conditional UPDATE and the database's clock, and so works on any kind of MySQL;
GET_LOCK, in contrast, does not lock across the nodes of a cluster. A holder that is suspended beyond the
lease loses it without noticing, so whatever the lease protects must be safe without it. It is: repairs are
conditional on revisions, and the lease only avoids that two passes do the same work.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.sql_functions import database_now

_table = schema.leases.c


async def acquire(connection: AsyncConnection, name: str, holder: str, seconds: float) -> bool:
    """Acquire or renew a lease for this many seconds; return False if another holder has it.

    All holders of a lease ask for the same number of seconds. One that lasts twice that was acquired before
    the clock was set back, and would keep everyone out for as long. (One that lasts a little longer was
    acquired after this one read the clock.)
    """
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    lasts = timedelta(seconds=seconds)
    values = {"holder": holder, "expire_time": now + lasts}
    is_free = (_table.holder == holder) | (_table.expire_time < now) | (_table.expire_time > now + 2 * lasts)
    updated = await connection.execute(
        update(schema.leases).where(_table.name == name, is_free).values(values)
    )
    if updated.rowcount:
        return True
    try:
        await connection.execute(insert(schema.leases).values(name=name, **values))
    except IntegrityError:  # another holder has it; only the statement is rolled back
        return False
    return True


async def release(connection: AsyncConnection, name: str, holder: str) -> None:
    """Release a lease if this holder still has it."""
    await connection.execute(delete(schema.leases).where(_table.name == name, _table.holder == holder))
