"""Upgrades take turns, on all nodes of a cluster."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from batches.errors import UpgradeUnderWay
from batches.store import schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.held_lease import hold_lease
from batches.store.refusals import Refusal, refusal_of

LEASE_NAME = "migrations"
TURN_SECONDS_MAX = 90.0
"""How long an upgrade waits for another one: longer than the lease of one that was killed. Adding a column to
a large table takes minutes, but after this time a person should look; the migration Job is retried anyway."""
POLL_SECONDS = 1.0
"""How often an upgrade that waits asks for the lease."""


@asynccontextmanager
async def turn(database: Database) -> AsyncIterator[None]:
    """Wait until no other upgrade runs, and keep others out during the block.

    Raises:
        DatabaseUnavailable: the database does not answer.
        UpgradeUnderWay: another upgrade has run for too long, or has taken over.

    """
    store, clock = BatchStore(database), asyncio.get_running_loop().time
    end = clock() + TURN_SECONDS_MAX
    while not await _create_leases(database) and clock() < end:  # noqa: ASYNC110  # there is no event
        await asyncio.sleep(POLL_SECONDS)
    while True:
        own = asyncio.timeout(None)
        async with hold_lease(store, LEASE_NAME, partial(_end, own)) as is_ours:
            if is_ours:
                try:
                    async with own:
                        yield
                except TimeoutError:
                    raise UpgradeUnderWay("another upgrade has taken over: wait until it ends") from None
                return
        if clock() >= end:
            raise UpgradeUnderWay(
                f"another upgrade has been running for {TURN_SECONDS_MAX:.0f} s: wait until it ends,"
                " then try again"
            )
        await asyncio.sleep(POLL_SECONDS)


def _end(own: asyncio.Timeout) -> None:
    own.reschedule(asyncio.get_running_loop().time())


async def _create_leases(database: Database) -> bool:
    """Create the table of leases, as the first migration would: upgrades of an empty database take turns.

    Returns:
        Whether it exists. Galera cancels the transactions that a change of tables on another node meets.

    """
    try:
        async with database.migration() as connection:
            if not await connection.run_sync(lambda sync: inspect(sync).has_table(schema.leases.name)):
                await connection.execute(CreateTable(schema.leases, if_not_exists=True))
    except DBAPIError as error:
        if refusal_of(error) is not Refusal.CONFLICT:
            raise
        return False
    return True
