"""Purged batches are deleted in chunks: small batches together, large ones in pieces."""

import pytest
from sqlalchemy import event, insert

from batches.new_batch import IfEnded, NewBatch
from batches.store import deletion, schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import ago, count_rows, create, insert_batches, report, scalar
from tests.integration.store.test_retention import age, completed, delete_all
from tests.support.samples import result, results

DAY_SECONDS = 86_400.0


async def small_batches(store: BatchStore, database: Database, number: int, jobs: int) -> list[str]:
    """Purge this many batches with as many results each."""
    ids = [f"batch-{one}" for one in range(number)]
    await insert_batches(database, ids)
    await report(store, *(one for batch_id in ids for one in results(jobs, batch_id=batch_id)))
    for batch_id in ids:
        await store.cancel_batch(batch_id)
    await age(database, *ids)
    await store.purge_ended(ago(DAY_SECONDS))
    return ids


async def test_small_batches_are_deleted_together(store: BatchStore, database: Database) -> None:
    """As many as fit into a chunk, which is one transaction."""
    await small_batches(store, database, 12, jobs=5)
    assert await delete_all(store, rows_max=30) <= 4
    assert await count_rows(database) == {}


async def test_chunk_never_has_more_rows_than_it_may(store: BatchStore, database: Database) -> None:
    """This holds for batches of all sizes, one after the other."""
    ids = [f"batch-{one}" for one in range(6)]
    for number, batch_id in enumerate(ids):
        await completed(store, batch_id, jobs=2 + 5 * (number % 3))
    await age(database, *ids)
    await store.purge_ended(ago(DAY_SECONDS))
    before = await count_rows(database)
    while await store.delete_chunk(9) is not None:
        after = await count_rows(database)
        counted = [part.table.name for part in deletion._PARTS]  # noqa: SLF001
        assert sum(before.get(name, 0) - after.get(name, 0) for name in counted) <= 9
        before = after
    assert before == {}


async def test_batch_with_many_additions_is_deleted_in_pieces(store: BatchStore, database: Database) -> None:
    """One statement for all of them takes longer than a statement may, and would fail in every pass."""
    await create(store, 0, sealed=False)
    for number in range(7):
        await store.add_jobs("batch", 1, f"request-{number}")
    await store.cancel_batch("batch")
    await age(database, "batch")
    await store.purge_ended(ago(DAY_SECONDS))
    await store.delete_chunk(3)
    assert (await count_rows(database))["job_additions"] == 4
    await delete_all(store, 3)
    assert await count_rows(database) == {}


async def test_rows_of_each_table_are_deleted_in_pieces(store: BatchStore, database: Database) -> None:
    """No table can have so many rows of a batch that its deletion fails."""
    await create(store, 0)
    key = (await store.get_batch("batch")).batch_key
    groups = [
        {
            "batch_key": key,
            "fingerprint": f"{number:x}",
            "failed_jobs": 1,
            "own_groups": 0,
            "sample_job_id": "",
            "error_type": "",
            "sample_error_message": "",
        }
        for number in range(5)
    ]
    points = [{"batch_key": key, "first_point": number, "points": b""} for number in (5, 16, 107)]
    await database.write(lambda connection: connection.execute(insert(schema.failure_groups), groups))
    await database.write(lambda connection: connection.execute(insert(schema.batch_history), points))
    await age(database, "batch")
    await store.purge_ended(ago(DAY_SECONDS))
    assert await delete_all(store, 2) == 5
    assert await count_rows(database) == {}


async def test_deletion_begins_where_the_last_chunk_ended(
    store: BatchStore, other_store: BatchStore, other_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old snapshot keeps rows that are deleted, and each chunk would skip them one by one."""
    monkeypatch.setattr(deletion, "CHUNK_ROWS", 4)
    await completed(store, jobs=13)
    await store.delete_batch("batch")
    last = await scalar(other_database, "SELECT rows_after FROM deleted_batches")
    sent: list[tuple[str, str]] = []
    engine = other_database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *one: sent.append((one[2], str(one[3]))))
    await other_store.delete_chunk(4)
    of_piece = [values for statement, values in sent if "job_results.job_id >" in statement]
    assert len(of_piece) == 2
    assert all(last in values for values in of_piece)
    await delete_all(store, 4)
    assert await count_rows(other_database) == {}


async def test_rows_of_a_replaced_batch_are_deleted_in_pieces(store: BatchStore, database: Database) -> None:
    await completed(store, jobs=13)
    await store.create_batch(NewBatch("batch", 3, request_id="r", if_ended=IfEnded.REPLACE))
    await store.delete_chunk(4)
    assert (await count_rows(database))["job_results"] == 9
    await delete_all(store, 4)
    assert await count_rows(database) == {"batches": 1}


async def test_batches_before_the_key_are_left_alone(store: BatchStore, database: Database) -> None:
    """A pass goes on from where it was, and the next pass begins at the first batch."""
    await small_batches(store, database, 3, jobs=1)
    first = await scalar(database, "SELECT MIN(batch_key) FROM deleted_batches")
    assert await store.delete_chunk(100, from_key=first + 1) == first + 3
    assert (await count_rows(database))["job_results"] == 1
    assert await store.delete_chunk(100, from_key=first + 3) is None
    await delete_all(store)
    assert await count_rows(database) == {}


async def test_report_of_another_batch_survives_a_deletion_in_chunks(
    store: BatchStore, database: Database
) -> None:
    """The keys of purged batches may lie around those of others."""
    await create(store, 9, "kept")
    await small_batches(store, database, 3, jobs=2)
    await create(store, 9, "also kept")
    await report(store, result("a", batch_id="kept"), result("a", batch_id="also kept"))
    await delete_all(store)
    assert (await count_rows(database))["job_results"] == 2
