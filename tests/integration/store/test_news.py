"""Which batches were created or ended lately."""

import asyncio
from datetime import timedelta

import pytest
import pytest_asyncio

from batches.new_batch import NewBatch
from batches.store import news
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.news import NewsStore
from tests.integration.store.steps import create


@pytest_asyncio.fixture
async def lately(database: Database) -> NewsStore:
    """What was created or ended lately, in the database of the test."""
    return NewsStore(database)


async def test_batches_above_a_key_that_are_not_known_are_new(store: BatchStore, lately: NewsStore) -> None:
    """In the order of their keys, with the newest key and the time of the database."""
    empty = await lately.read_created(None, None)
    assert (empty.newest_key, empty.keys, empty.batches) == (0, [], [])
    keys = [(await create(store, 1, f"b{number}", team="data")).batch_key for number in range(4)]
    first = await lately.read_created(None, None)
    assert (first.newest_key, first.keys, first.batches) == (keys[3], keys, [])
    found = await lately.read_created(keys[0], {keys[2]})
    assert [batch.batch_key for batch in found.batches] == [keys[1], keys[3]]
    assert found.keys == keys[1:]
    assert found.read_time >= found.batches[0].create_time
    assert found.batches[0].labels == {"team": "data"}


async def test_many_new_batches_are_read_some_at_a_time(
    store: BatchStore, lately: NewsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next look goes on at the newest key that was read."""
    monkeypatch.setattr(news, "CREATED_BATCHES_MAX", 2)
    keys = [(await create(store, 1, f"b{number}")).batch_key for number in range(5)]
    found, newest = [], 0
    for _ in range(3):
        created = await lately.read_created(newest, ())
        newest = created.newest_key
        found += [batch.batch_key for batch in created.batches]
    assert found == keys
    monkeypatch.setattr(news, "CREATED_KEYS_MAX", 2)
    assert (await lately.read_created(0, ())).newest_key == keys[1]


async def test_ended_batches_are_listed_by_the_time_of_their_end(
    store: BatchStore, lately: NewsStore
) -> None:
    """From a time on, in pages, with a prefix."""
    ends = []
    for name in ("a1", "b", "a2", "a3", "open"):
        await create(store, 1, name)
        if name != "open":
            ends.append(await store.cancel_batch(name))
            await asyncio.sleep(0.002)  # SQLite's clock counts milliseconds
    since = ends[0].complete_time
    assert since is not None
    first = await lately.list_ended(since, after=None, size=2)
    assert [batch.batch_id for batch in first.items] == ["a1", "b"]
    second = await lately.list_ended(since, after=first.next_key, size=2)
    assert [batch.batch_id for batch in second.items] == ["a2", "a3"]
    assert (await lately.list_ended(since, after=second.next_key, size=2)).items == []
    prefixed = await lately.list_ended(since, after=None, id_prefix="a", size=9)
    assert [batch.batch_id for batch in prefixed.items] == ["a1", "a2", "a3"]
    later = await lately.list_ended(since + timedelta(hours=1), after=None)
    assert (later.items, later.next_key) == ([], None)


async def test_batches_that_ended_at_one_time_are_all_listed(
    store: BatchStore, lately: NewsStore, database: Database
) -> None:
    """A page may end between them."""
    await asyncio.gather(*(store.create_batch(NewBatch(f"b{number}", 0)) for number in range(3)))
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE batches SET complete_time = '2026-01-01 00:00:00.000000'")
    found, after = [], None
    for _ in range(4):
        page = await lately.list_ended((await store.get_batch("b0")).complete_time, after=after, size=1)  # type: ignore[arg-type]
        found += [batch.batch_id for batch in page.items]
        after = page.next_key
    assert sorted(found) == ["b0", "b1", "b2"]
