"""Results are inserted as the first ones of their jobs; where they are not, nothing of it may stay."""

from batches.batch import BatchState, Tally
from batches.errors import BatchFull, ResultConflict
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.script import ROWS_A_CALL
from tests.integration.store.steps import (
    DUPLICATE,
    RECORDED,
    STALE,
    SUPERSEDED_EARLIER,
    create,
    differences,
    recorded,
    report,
)
from tests.support.samples import FAILED, failure, result, results


def _restarted(database: Database) -> BatchStore:
    """Return a store that has seen no repeated report."""
    return BatchStore(database)


async def test_a_repeated_report_is_told_from_a_first_one(store: BatchStore, database: Database) -> None:
    """Each alone, on a server that expects first ones."""
    await create(store, 10)
    await report(store, result("a", attempt=2), result("b"))
    for again, verdict in [
        (result("a", attempt=1), STALE),
        (result("a", attempt=2), DUPLICATE),
        (result("a", attempt=3), SUPERSEDED_EARLIER),
        (result("b", FAILED), ResultConflict),
    ]:
        assert await report(_restarted(database), again) == [verdict]
    assert (await store.get_batch("batch")).tally == Tally(2)
    assert await differences(store) == []


async def test_a_full_batch_tells_repeated_reports_from_jobs_too_many(
    store: BatchStore, database: Database
) -> None:
    """No row would be inserted for either, so that only the recorded attempts show which it is."""
    await create(store, 1)
    await report(store, result("job"))
    assert await report(_restarted(database), result("job")) == [DUPLICATE]
    assert await report(_restarted(database), result("other")) == [BatchFull]
    assert await report(_restarted(database), result("other"), result("job")) == [BatchFull, DUPLICATE]


async def test_nothing_stays_of_an_insert_that_met_a_repeated_report(
    store: BatchStore, database: Database
) -> None:
    """The repeated one is last, after more rows than one INSERT has, and after failures were counted."""
    await create(store, 10_000)
    await report(store, result("repeated"))
    failures = [failure(f"failed-{number}", "E", "why") for number in range(3)]
    group = [*failures, *results(ROWS_A_CALL + 100), result("repeated")]
    assert await report(_restarted(database), *group) == [RECORDED] * (len(group) - 1) + [DUPLICATE]
    batch = await store.get_batch("batch")
    assert (batch.tally, batch.revision) == (Tally(len(group) - 3, failed=3), 3)
    assert await differences(store) == []


async def test_a_batch_that_a_repeated_report_does_not_complete_stays_open(
    store: BatchStore, database: Database
) -> None:
    """Taken for a first one, it would be the last."""
    await create(store, 2)
    await report(store, result("job"))
    assert await report(_restarted(database), result("job")) == [DUPLICATE]
    assert (await store.get_batch("batch")).state is BatchState.PROCESSING
    assert list(await recorded(store)) == ["job"]
