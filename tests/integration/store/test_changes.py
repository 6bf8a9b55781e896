"""Which of the watched batches have changed or no longer exist."""

import pytest
from sqlalchemy import update

from batches.batch import UNREAD
from batches.new_batch import IfEnded, NewBatch
from batches.store import changes, schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import create, insert_batches, report
from tests.support.samples import NOON, result


async def test_changed_and_missing_batches_are_found(store: BatchStore) -> None:
    """A batch is returned if its revision differs, and its id if it does not exist."""
    versions = {
        batch_id: (await create(store, 10, batch_id)).version for batch_id in ("same", "moved", "unwatched")
    }
    del versions["unwatched"]
    await report(store, result("job", batch_id="moved"))
    changed, gone = await store.read_changed({**versions, "MOVED": versions["moved"]})
    assert [(batch.batch_id, batch.revision) for batch in changed] == [("moved", 2)]
    assert gone == ["MOVED"]


async def test_a_batch_that_took_the_id_of_another_has_changed(store: BatchStore) -> None:
    """Even if it has the same revision."""
    before = await create(store, 0)
    replacing = NewBatch("batch", 0, request_id="r", if_ended=IfEnded.REPLACE)
    after = await store.create_batch(replacing)
    assert after.revision == before.revision
    changed, gone = await store.read_changed({"batch": before.version})
    assert [batch.batch_key for batch in changed] == [after.batch_key]
    assert gone == []


async def test_a_batch_with_another_state_at_the_same_revision_has_changed(
    store: BatchStore, database: Database
) -> None:
    """A fail-over of the database lost a result, and another one came."""
    await create(store, 10)
    await report(store, result("lost"))
    before = await store.get_batch("batch")
    async with database.engine.begin() as connection:
        await connection.execute(update(schema.batches).values(last_result_time=NOON, succeeded_jobs=0))
    changed, gone = await store.read_changed({"batch": before.version})
    assert [(batch.revision, batch.tally.ended) for batch in changed] == [(before.revision, 0)]
    assert gone == []


async def test_no_watched_batches_means_no_changes(store: BatchStore) -> None:
    """Batches that are not watched are not read."""
    await create(store, 10)
    assert await store.read_changed({}) == ([], [])


@pytest.mark.parametrize("portion", [1, 3, 1_000])
async def test_watched_batches_are_looked_up_in_portions(
    store: BatchStore, database: Database, monkeypatch: pytest.MonkeyPatch, portion: int
) -> None:
    """Each changed batch is returned once, whatever the size of a portion."""
    monkeypatch.setattr(changes, "READ_BATCHES_MAX", portion)
    ids = [f"batch-{number}" for number in range(10)]
    await insert_batches(database, ids)
    changed, gone = await store.read_changed({**dict.fromkeys(ids, UNREAD), "gone": UNREAD})
    assert sorted(batch.batch_id for batch in changed) == ids
    assert gone == ["gone"]


async def test_more_batches_than_one_portion_can_be_watched(store: BatchStore, database: Database) -> None:
    """The real limit of a statement applies."""
    ids = [f"batch-{number}" for number in range(2_001)]
    await insert_batches(database, ids)
    changed, gone = await store.read_changed(dict.fromkeys(ids, UNREAD))
    assert (len(changed), gone) == (2_001, [])
