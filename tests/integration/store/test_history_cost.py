"""What `python -m bench.history_cost` compares: recordings without histories, and with a point each."""

import pytest

from batches.history import unpack_recent
from batches.store import locking
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from bench.history_cost import EVERY, WITHOUT, recording_as
from tests.integration.store.steps import create, differences, report
from tests.support.samples import result


async def points_of(database: Database) -> int:
    """Return how many points the row of the batch has."""
    batch = await database.read(lambda c: locking.lock_batch(c, "batch"))
    return len(unpack_recent(batch.recent_history).points)


@pytest.mark.parametrize(("kind", "points"), [(WITHOUT, 1), (EVERY, 2)])
async def test_a_recording_keeps_the_points_of_its_kind(
    store: BatchStore, database: Database, kind: str, points: int
) -> None:
    """The creation is a point; the state after the first report is another, and the newest is the batch's."""
    await create(store, total_jobs=3)
    with recording_as(kind):
        await report(store, result("job-1"))
        await report(store, result("job-2"))
    assert await points_of(database) == points
    assert await differences(store) == []
