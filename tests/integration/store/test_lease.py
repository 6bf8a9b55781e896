"""A lease has one holder at a time, by the database's clock."""

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import select

from batches.store import schema
from batches.store.batch_store import BatchStore
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from tests.integration.store.steps import execute, wait_until

LONG_SECONDS = 3_600.0
SHORT_SECONDS = 0.3
"""Far above the milliseconds of a statement, but short enough to wait for."""


async def test_a_second_holder_is_refused(store: BatchStore, other_store: BatchStore) -> None:
    """Leases with other names are independent."""
    assert await store.acquire_lease("pass", "first", LONG_SECONDS)
    assert not await other_store.acquire_lease("pass", "second", LONG_SECONDS)
    assert not await store.acquire_lease("pass", "FIRST", LONG_SECONDS)
    assert await other_store.acquire_lease("Pass", "second", LONG_SECONDS)


async def test_a_holder_can_renew_its_lease(store: BatchStore, database: Database) -> None:
    """The new duration counts from the renewal."""
    await store.acquire_lease("pass", "first", SHORT_SECONDS)
    first_end = await _expire_time(database)
    assert await store.acquire_lease("pass", "first", LONG_SECONDS)
    assert await _expire_time(database) > first_end
    assert not await store.acquire_lease("pass", "second", LONG_SECONDS)


async def test_a_released_lease_is_free(store: BatchStore) -> None:
    """The next holder gets it at once."""
    await store.acquire_lease("pass", "first", LONG_SECONDS)
    await store.release_lease("pass", "first")
    assert await store.acquire_lease("pass", "second", LONG_SECONDS)


async def test_only_the_holder_can_release_a_lease(store: BatchStore) -> None:
    """A suspended pass must not release the lease that another pass has acquired."""
    await store.acquire_lease("pass", "second", LONG_SECONDS)
    await store.release_lease("pass", "first")
    await store.release_lease("unknown", "first")
    assert not await store.acquire_lease("pass", "third", LONG_SECONDS)


async def test_a_lease_from_before_the_clock_was_set_back_is_free(
    store: BatchStore, database: Database
) -> None:
    """It would keep everyone out until its time has come once more."""
    await store.acquire_lease("pass", "killed", LONG_SECONDS)
    await execute(database, "UPDATE leases SET expire_time = '2999-01-01 00:00:00.000000'")
    assert await store.acquire_lease("pass", "second", LONG_SECONDS)
    assert not await store.acquire_lease("pass", "third", LONG_SECONDS)


async def test_a_lease_expires_by_the_databases_clock(store: BatchStore, database: Database) -> None:
    """The next holder gets it when it has expired, and not before."""
    await store.acquire_lease("pass", "first", SHORT_SECONDS)
    end = await _expire_time(database)
    await wait_until(lambda: store.acquire_lease("pass", "second", LONG_SECONDS))
    taken = await _expire_time(database)
    assert taken - end >= timedelta(seconds=LONG_SECONDS)
    assert not await store.acquire_lease("pass", "first", LONG_SECONDS)


async def test_an_expired_lease_can_be_renewed(store: BatchStore, database: Database) -> None:
    """This holds as long as no other holder has acquired it."""
    await store.acquire_lease("pass", "first", LONG_SECONDS)
    await execute(database, "UPDATE leases SET expire_time = '2000-01-01 00:00:00.000000'")
    assert await store.acquire_lease("pass", "first", LONG_SECONDS)
    assert not await store.acquire_lease("pass", "second", LONG_SECONDS)


async def test_one_of_concurrent_holders_gets_the_lease(
    store: BatchStore, other_store: BatchStore, database: Database
) -> None:
    """Twelve holders on two replicas compete for it, three times."""
    for _ in range(3):
        got = await asyncio.gather(
            *(
                one.acquire_lease("pass", f"{name}-{number}", LONG_SECONDS)
                for number in range(6)
                for name, one in (("here", store), ("there", other_store))
            )
        )
        assert sorted(got) == [False] * 11 + [True]
        await execute(database, "UPDATE leases SET expire_time = '2000-01-01 00:00:00.000000'")


async def _expire_time(database: Database) -> datetime:
    async def look(connection: AsyncConnection) -> datetime:
        time: datetime = (await connection.execute(select(schema.leases.c.expire_time))).scalar_one()
        return time

    return await database.read(look)
