"""The keys of batches that a server remembers: a report finds its batch, also if another one has its id."""

import pytest

from batches.errors import BatchNotFound
from batches.new_batch import IfEnded, NewBatch
from batches.store import locking
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.locking import BatchKeys
from tests.integration.store.steps import (
    DUPLICATE,
    RECORDED,
    create,
    differences,
    execute,
    insert_batches,
    report,
)
from tests.support.samples import result


async def test_report_finds_the_batch_that_has_replaced_one_of_a_known_key(
    store: BatchStore, other_store: BatchStore
) -> None:
    """Another server replaces it."""
    await create(store, 5)
    await report(store, result("a"))
    await other_store.cancel_batch("batch")
    new = NewBatch("batch", 5, request_id="new", if_ended=IfEnded.REPLACE)
    created = await other_store.create_batch(new)
    assert await report(store, result("a")) == [RECORDED]
    after = await store.get_batch("batch")
    assert (after.batch_key, after.tally.ended) == (created.batch_key, 1)


async def test_report_of_a_deleted_batch_of_a_known_key_is_refused(
    store: BatchStore, other_store: BatchStore
) -> None:
    await create(store, 5)
    await create(store, 5, "other")
    await report(store, result("a"))
    await other_store.cancel_batch("batch")
    await other_store.delete_batch("batch")
    reports = [result("b"), result("b", batch_id="other")]
    assert await report(store, *reports) == [BatchNotFound, RECORDED]


async def test_key_that_another_batch_has_taken_is_not_trusted(store: BatchStore, database: Database) -> None:
    """A fail-over may lose the newest batches, whose keys the next ones get then."""
    for batch_id, job_id in (("a", "x"), ("b", "y")):
        await create(store, 5, batch_id)
        await report(store, result(job_id, batch_id=batch_id))
    for before, after in (("a", "c"), ("b", "a"), ("c", "b")):
        await execute(database, "UPDATE batches SET batch_id = :a WHERE batch_id = :b", a=after, b=before)
    reports = [result("y", batch_id="a"), result("x", batch_id="b")]
    assert await report(store, *reports) == [DUPLICATE, DUPLICATE]
    assert await report(store, result("z", batch_id="a")) == [RECORDED]
    assert await differences(store) == []


async def test_number_of_remembered_keys_is_bounded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All keys of a look-up are returned nevertheless."""
    monkeypatch.setattr(locking, "KEYS_MAX", 2)
    batch_ids = [*"abcde"]
    await insert_batches(database, batch_ids)
    keys = BatchKeys()
    for _ in range(2):
        found = await database.read(lambda connection: keys.look_up(connection, batch_ids))
        assert found.keys() == set(batch_ids)
        assert len(keys) == 2
