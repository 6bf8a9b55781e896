"""The lock of one batch is a statement that each connection prepares once."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from batches.store.batch_store import BatchStore
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from batches.store.locking import lock_batches
from tests.integration.store.steps import RECORDED, create, execute, on_servers, report, scalar
from tests.support.samples import result

PREPARED = "SHOW SESSION STATUS LIKE 'Com_stmt_prepare'"


async def test_prepared_lock_reads_what_a_script_reads(store: BatchStore, database: Database) -> None:
    """One batch is locked by a prepared statement, several by the text of a script."""
    await create(store, 10, "one", label="ü")
    await create(store, 10, "two")
    await report(store, result("a", batch_id="one"), result("b", batch_id="one"))

    async def work(connection: AsyncConnection) -> None:
        for _ in range(2):  # the driver reads the columns only at the first time
            (alone,) = await lock_batches(connection, ["one"])
            one, _ = await lock_batches(connection, ["one", "two"])
            assert replace(alone, read_time=one.read_time) == one
            assert (alone.recent_history, alone.labels) == (one.recent_history, {"label": "ü"})

    await database.write(work)


@on_servers
async def test_lock_is_prepared_once_for_each_connection(database_url: str) -> None:
    """Further reports on the connection do not prepare it again."""
    database = Database(database_url, connections_max=1)
    store = BatchStore(database)
    await create(store, 10)
    await report(store, result("first"))
    before = await _prepared(database)
    await report(store, result("second"))
    assert await _prepared(database) == before > 0
    await database.close()


@on_servers
@pytest.mark.usefixtures("own_server")
async def test_batch_is_locked_where_nothing_can_be_prepared(database_url: str) -> None:
    """The statements of other programs may be all that a server has room for."""
    database = Database(database_url, connections_max=1)
    await create(BatchStore(database), 10)
    most = await scalar(database, "SELECT @@max_prepared_stmt_count")
    await database.close()
    database = Database(database_url, connections_max=1)
    await execute(database, "SET GLOBAL max_prepared_stmt_count = 0")
    try:
        verdicts = [await report(BatchStore(database), result(job_id)) for job_id in ("a", "b")]
    finally:
        await execute(database, f"SET GLOBAL max_prepared_stmt_count = {most}")
    assert verdicts == [[RECORDED], [RECORDED]]
    await database.close()


async def _prepared(database: Database) -> int:
    """Return how many statements the only connection has prepared."""

    async def work(connection: AsyncConnection) -> int:
        return int((await connection.execute(text(PREPARED))).one()[1])

    return await database.write(work)
