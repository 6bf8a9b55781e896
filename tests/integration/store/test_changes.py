"""What the change feed reads: which of the watched batches have changed, and which are gone."""

import pytest

from batches.store import changes
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import create, insert_batches, report
from tests.support.samples import result


async def test_what_changed_and_what_is_gone(store: BatchStore) -> None:
    """A batch is returned if its revision differs, named if it is unknown, and left out otherwise."""
    for batch_id in ("same", "moved", "unwatched"):
        await create(store, 10, batch_id)
    await report(store, result("job", batch_id="moved"))
    changed, gone = await store.read_changed({"same": 1, "moved": 1, "MOVED": 1})
    assert [(batch.batch_id, batch.revision) for batch in changed] == [("moved", 2)]
    assert gone == ["MOVED"]


async def test_nothing_watched(store: BatchStore) -> None:
    """Nobody watches: nothing is read."""
    await create(store, 10)
    assert await store.read_changed({}) == ([], [])


@pytest.mark.parametrize("portion", [1, 3, 1_000])
async def test_many_watched(
    store: BatchStore, database: Database, monkeypatch: pytest.MonkeyPatch, portion: int
) -> None:
    """However the look-ups are cut, each batch that changed is returned once."""
    monkeypatch.setattr(changes, "READ_BATCHES_MAX", portion)
    ids = [f"batch-{number}" for number in range(10)]
    await insert_batches(database, ids)
    changed, gone = await store.read_changed({**dict.fromkeys(ids, 0), "gone": 0})
    assert sorted(batch.batch_id for batch in changed) == ids
    assert gone == ["gone"]


async def test_two_thousand_watched(store: BatchStore, database: Database) -> None:
    """More batches than one statement looks up, on the real limits."""
    ids = [f"batch-{number}" for number in range(2_001)]
    await insert_batches(database, ids)
    changed, gone = await store.read_changed(dict.fromkeys(ids, 0))
    assert (len(changed), gone) == (2_001, [])
