"""Lists: their pages are complete, stable and ordered."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from batches.batch import Batch, BatchState
from batches.listing import BatchFilter, Page, ResultFilter
from batches.new_batch import NewBatch
from batches.repair import RepairPlan
from batches.result import JobOutcome
from batches.store import listings
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.listings import list_batches
from tests.integration.store.steps import create, insert_batches, on_servers, report, rows_read
from tests.support.samples import FAILED, SKIPPED, SUCCEEDED, result, results

PageReader = Callable[[Any], Awaitable[Page[Any, Any]]]


async def pages(read: PageReader) -> list[list[Any]]:
    """Read all pages."""
    found, key = [], None
    while True:
        page = await read(key)
        found.append(page.items)
        if page.next_key is None:
            return found
        key = page.next_key


async def batch_ids(
    store: BatchStore, state: BatchState | None = None, labels: dict[str, str] | None = None
) -> list[str]:
    """Return the ids of all listed batches."""
    page = await store.list_batches(BatchFilter(state, labels or {}), before_key=None, size=100)
    return [batch.batch_id for batch in page.items]


async def test_batches_are_listed_newest_first(store: BatchStore) -> None:
    """The order does not depend on the ids."""
    for batch_id in ("b", "c", "a"):
        await create(store, 1, batch_id)
    assert await batch_ids(store) == ["a", "c", "b"]


async def test_an_empty_list_is_one_empty_page(store: BatchStore) -> None:
    """It has no next page."""
    page = await store.list_batches(BatchFilter(), before_key=None, size=10)
    assert (page.items, page.next_key) == ([], None)


@pytest.mark.parametrize(("size", "lengths"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (8, [7])])
async def test_pages_have_the_requested_size(
    store: BatchStore, database: Database, size: int, lengths: list[int]
) -> None:
    """There is no empty page at the end."""
    await insert_batches(database, [f"batch-{number}" for number in range(7)])
    found = await pages(lambda key: store.list_batches(BatchFilter(), before_key=key, size=size))
    assert [len(page) for page in found] == lengths
    assert [batch.batch_id for page in found for batch in page] == [
        f"batch-{n}" for n in (6, 5, 4, 3, 2, 1, 0)
    ]


async def test_page_of_batches_with_large_labels_is_shorter(
    store: BatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with the batch whose labels exceed the limit, and the next page goes on behind it."""
    monkeypatch.setattr(listings, "PAGE_LABEL_BYTES_MAX", 250)
    for number in range(7):
        labels = {"key": "x" * 100} if number < 5 else {}
        await store.create_batch(NewBatch(f"b{number}", 1, labels=labels))
    found = await pages(lambda key: store.list_batches(BatchFilter(), before_key=key, size=6))
    assert [[batch.batch_id for batch in page] for page in found] == [
        ["b6", "b5", "b4", "b3", "b2"],
        ["b1", "b0"],
    ]


async def test_new_batches_do_not_shift_pages(store: BatchStore, database: Database) -> None:
    """Each old batch is listed once."""
    await insert_batches(database, [f"old-{number}" for number in range(6)])
    first = await store.list_batches(BatchFilter(), before_key=None, size=3)
    await insert_batches(database, [f"new-{number}" for number in range(6)])
    second = await store.list_batches(BatchFilter(), before_key=first.next_key, size=3)
    assert [batch.batch_id for batch in first.items + second.items] == [
        f"old-{n}" for n in (5, 4, 3, 2, 1, 0)
    ]
    assert second.next_key is None


async def test_batches_are_filtered_by_state(store: BatchStore) -> None:
    """Their present state counts."""
    for batch_id in ("processing", "completed", "cancelled"):
        await create(store, 1, batch_id)
    await report(store, result("job", batch_id="completed"))
    await store.cancel_batch("cancelled")
    assert await batch_ids(store, BatchState.PROCESSING) == ["processing"]
    assert await batch_ids(store, BatchState.COMPLETED) == ["completed"]
    assert await batch_ids(store, BatchState.CANCELLED) == ["cancelled"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, ["none", "padded", "upper", "both", "prod", "sync"]),
        ({"team": "sync"}, ["both", "sync"]),
        ({"env": "prod"}, ["both", "prod"]),
        ({"env": "prod", "team": "sync"}, ["both"]),
        ({"team": "SYNC"}, ["upper"]),
        ({"team": "sync "}, ["padded"]),
        ({"Team": "sync"}, []),
        ({"team": "prod"}, []),
        ({"team": "syn"}, []),
        ({"team": ""}, []),
        ({"team": "sync", "env": "prod", "other": "x"}, []),
    ],
)
async def test_batches_are_filtered_by_labels(
    store: BatchStore, labels: dict[str, str], expected: list[str]
) -> None:
    """A batch must have all of the labels, compared byte by byte."""
    await create(store, 1, "sync", team="sync")
    await create(store, 1, "prod", env="prod", empty="")
    await create(store, 1, "both", team="sync", env="prod", zone="a")
    await create(store, 1, "upper", team="SYNC")
    await create(store, 1, "padded", team="sync ")
    await create(store, 1, "none")
    assert await batch_ids(store, labels=labels) == expected


async def test_batches_are_filtered_by_prefix(store: BatchStore, database: Database) -> None:
    """Ids are compared byte by byte, on every page."""
    own = ["a-%", "a-1", "a-", "a-~", "a--"]
    others = ["a", "a.", "a,z", "A-1", "b-1", "A-", "a/1"]
    mixed = [one for pair in zip(own, others, strict=False) for one in pair]
    await insert_batches(database, mixed + others[len(own) :])
    key, found = None, []
    while True:
        page = await store.list_batches(BatchFilter(id_prefix="a-"), before_key=key, size=2)
        found += [batch.batch_id for batch in page.items]
        if page.next_key is None:
            break
        key = page.next_key
        assert key == page.items[-1].batch_key
    assert found == own[::-1]


@on_servers
async def test_a_prefix_reads_no_other_batches(database: Database) -> None:
    """The cost of a page does not depend on newer batches of others."""
    own, others, size = 1_000, 10_000, 10
    selected = BatchFilter(id_prefix="own-", hides_others=True)
    await insert_batches(database, [f"own-{number}" for number in range(own)])
    await insert_batches(database, [f"other-{number}" for number in range(others)])
    async with database.engine.connect() as connection:
        before_key: int | None = None
        for _ in range(2):
            before = await rows_read(connection)
            page = await list_batches(connection, selected=selected, before_key=before_key, size=size)
            assert await rows_read(connection) - before < 3 * own
            assert len(page.items) == size
            before_key = page.next_key


async def test_filters_and_pages_can_be_combined(store: BatchStore) -> None:
    """Only batches that match all filters are listed."""
    for number in range(6):
        await create(store, number % 2, f"batch-{number}", parity=str(number % 2), all="yes")
    found = await pages(
        lambda key: store.list_batches(
            BatchFilter(BatchState.COMPLETED, {"parity": "0", "all": "yes"}), before_key=key, size=2
        )
    )
    assert [[batch.batch_id for batch in page] for page in found] == [["batch-4", "batch-2"], ["batch-0"]]


async def test_results_are_listed_in_byte_order(store: BatchStore) -> None:
    """This holds across pages."""
    ids = ["b", "a", "B", "A", "a1", "a10", "a2", "~", "!", "_", "-", "a.", "a!", "Z", "0"]
    await create(store, len(ids))
    await report(store, *map(result, ids))
    found = await pages(lambda key: store.list_results("batch", ResultFilter(), after_job_id=key, size=4))
    assert [len(page) for page in found] == [4, 4, 4, 3]
    assert [row.job_id for page in found for row in page] == sorted(ids)


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (None, ["f1", "f2", "k1", "s1", "s2"]),
        (SUCCEEDED, ["s1", "s2"]),
        (FAILED, ["f1", "f2"]),
        (SKIPPED, ["k1"]),
    ],
)
async def test_results_are_filtered_by_outcome(
    store: BatchStore, outcome: JobOutcome | None, expected: list[str], size: int
) -> None:
    """Results of other batches are not listed, whatever the page size."""
    await create(store, 10)
    await create(store, 10, "other")
    await report(store, result("s2"), result("f1", FAILED), result("k1", SKIPPED), result("s1"))
    await report(store, result("f2", FAILED), result("f3", FAILED, batch_id="other"))
    found = await pages(
        lambda key: store.list_results("batch", ResultFilter(outcome), after_job_id=key, size=size)
    )
    assert [row.job_id for page in found for row in page] == expected


async def test_a_batch_without_results_lists_none(store: BatchStore) -> None:
    """The empty page is the last one."""
    await create(store, 10)
    page = await store.list_results("batch", ResultFilter(FAILED), after_job_id=None, size=10)
    assert (page.items, page.next_key) == ([], None)


async def test_repairs_are_listed_newest_first(store: BatchStore) -> None:
    """Repairs of other batches are not listed."""
    batch: Batch | None = await create(store, 10)
    await create(store, 10, "other")
    for one in results(5):
        assert batch is not None
        plan = RepairPlan("batch", batch.revision, f"found {one.job_id}", results=(one,))
        batch = await store.write_repair(plan)
    await store.write_repair(RepairPlan("other", 1, "other", results=(result("x", batch_id="other"),)))
    found = await pages(lambda key: store.list_repairs("batch", before_key=key, size=2))
    assert [[repair.reason[-1] for repair in page] for page in found] == [["4", "3"], ["2", "1"], ["0"]]
