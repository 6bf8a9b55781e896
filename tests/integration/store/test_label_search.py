"""Batches are found by their labels at a cost that does not depend on the number of batches."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from batches.batch import BatchState
from batches.listing import BatchFilter
from batches.store import label_search, listings, row_search, schema
from batches.store.batch_store import BatchStore
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from tests.integration.store.steps import insert_batches, rows_read, update_statistics

_batch = schema.batches.c
SEARCHED = 20
"""Batches of a label that a page searches in these tests."""
FEW, MANY = 10 * SEARCHED, 100 * SEARCHED

ALL, EVEN, ODD, OLD, NEW = ({name: "1"} for name in ("all", "even", "odd", "old", "new"))
FIRST = {"first": "yes"}
FILTERS = {
    "common": BatchFilter(labels=ALL),
    "rare": BatchFilter(labels=FIRST),
    "none": BatchFilter(labels={"first": "no"}),
    "common long ago": BatchFilter(labels=OLD),
    "never meet": BatchFilter(labels=EVEN | ODD),
    "never meet in time": BatchFilter(labels=OLD | NEW),
    "common and rare": BatchFilter(labels=ALL | FIRST),
    "common and none": BatchFilter(labels=ALL | {"first": "no"}),
    "rare state": BatchFilter(BatchState.PROCESSING, ALL),
    "common state": BatchFilter(BatchState.COMPLETED, ALL),
    "state of none": BatchFilter(BatchState.CANCELLED, ALL | EVEN),
    "rare with a prefix": BatchFilter(labels=FIRST, id_prefix="b-", hides_others=True),
    "common with a prefix": BatchFilter(labels=ALL, id_prefix="b-"),
    "old with a prefix": BatchFilter(labels=OLD, id_prefix="b-"),
    "common with an own prefix": BatchFilter(labels=ALL, id_prefix="c-", hides_others=True),
    "own prefix": BatchFilter(id_prefix="c-", hides_others=True),
    "rare state with an own prefix": BatchFilter(
        BatchState.PROCESSING, ALL, id_prefix="c-", hides_others=True
    ),
}


_OWN = BatchFilter(labels=OLD, id_prefix="b-99", hides_others=True)


@dataclass
class Cost:
    """What was read: rows and index entries on servers, instructions of SQLite's virtual machine."""

    units: int = 0


@pytest.fixture(autouse=True)
def _short_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_search, "SEARCHED_MAX", SEARCHED)
    monkeypatch.setattr(label_search, "SEARCHED_WITH_PREFIX_MAX", SEARCHED)
    monkeypatch.setattr(row_search, "SEARCHED_MAX", SEARCHED)
    monkeypatch.setattr(row_search, "SORTED_MAX", SEARCHED)


async def test_page_costs_the_same_among_ten_times_as_many_batches(database: Database) -> None:
    """What is read is counted, not the seconds."""
    costs = []
    for first, end in ((0, FEW), (FEW, MANY)):
        await insert_labelled(database, first, end)
        costs.append({name: await cost_of_page(database, selected) for name, selected in FILTERS.items()})
    few, many = costs
    assert {name: (few[name], many[name]) for name in FILTERS if many[name] > 2 * few[name]} == {}


async def test_page_costs_no_more_with_more_batches_that_do_not_fit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The labels of the filter tell how large those of the batches are at least."""
    monkeypatch.setattr(listings, "PAGE_LABEL_BYTES_MAX", 8)
    await insert_labelled(database, 0, FEW)
    # The first search may also read what MySQL keeps of the tables.
    _, *costs = [await cost_of_page(database, FILTERS["common"], size) for size in (3, 3, SEARCHED)]
    assert costs[0] == costs[1]


async def test_pages_of_a_search_contain_each_batch_once(store: BatchStore, database: Database) -> None:
    """This holds for short and empty pages, and any combination of labels, state and prefix."""
    chance = random.Random(1)
    await insert_labelled(database, 0, FEW)
    for _ in range(20):
        labels = [name for label in chance.sample([ALL, EVEN, ODD, OLD, NEW], 2) for name in label]
        selected = BatchFilter(
            chance.choice([None, *BatchState]),
            dict.fromkeys(labels[: chance.choice([1, 2])], "1"),
            chance.choice(["", "b-", "c-", "c-1"]),
            hides_others=chance.choice([True, False]),
        )
        found = await all_pages(store, selected, size=chance.choice([7, 50]))
        assert found == [batch_id(number) for number in range(FEW)[::-1] if is_selected(number, selected)]


async def test_batches_of_others_do_not_make_a_page_with_a_prefix_short(
    store: BatchStore, database: Database
) -> None:
    """A caller would see from a short page that others use the label."""
    await insert_labelled(database, 0, FEW)
    page = await store.list_batches(_OWN, before_key=None, size=5)
    assert ([batch.batch_id for batch in page.items], page.next_key) == (["b-99"], None)


async def all_pages(store: BatchStore, selected: BatchFilter, size: int) -> list[str]:
    """Return the ids on all pages."""
    page = await store.list_batches(selected, before_key=None, size=size)
    found = page.items
    while page.next_key is not None:
        page = await store.list_batches(selected, before_key=page.next_key, size=size)
        assert len(page.items) <= size
        found = [*found, *page.items]
    return [batch.batch_id for batch in found]


async def cost_of_page(database: Database, selected: BatchFilter, size: int = 5) -> int:
    """Return the cost of the first page once the connection has read one: the first reads its plans, too."""
    async with database.engine.connect() as connection:
        await listings.list_batches(connection, selected=selected, before_key=None, size=size)
        async with counted(connection) as cost:
            await listings.list_batches(connection, selected=selected, before_key=None, size=size)
    return cost.units


@asynccontextmanager
async def counted(connection: AsyncConnection) -> AsyncIterator[Cost]:
    """Count what the connection reads."""
    cost = Cost()
    if connection.dialect.name == "sqlite":
        raw: Any = connection.sync_connection.connection.driver_connection

        def count() -> None:
            cost.units += 1

        await raw.set_progress_handler(count, 1)
        yield cost
        await raw.set_progress_handler(None, 0)
    else:
        before = await rows_read(connection)
        yield cost
        cost.units = await rows_read(connection) - before


async def insert_labelled(database: Database, first: int, end: int) -> None:
    """Insert batches by their numbers, with states and labels."""
    ids = {batch_id(number): number for number in range(first, end)}
    await insert_batches(database, ids, state=int(BatchState.COMPLETED))
    rows = await database.read(
        lambda connection: connection.execute(select(_batch.batch_key, _batch.batch_id))
    )
    keys = {ids[row.batch_id]: row.batch_key for row in rows if row.batch_id in ids}
    labels = [
        {"label_key": name, "label_value": value, "batch_key": key}
        for number, key in keys.items()
        for name, value in labels_of(number).items()
    ]
    running = [key for number, key in keys.items() if state_of(number) is BatchState.PROCESSING]

    async def write(connection: AsyncConnection) -> None:
        await connection.execute(insert(schema.batch_labels), labels)
        state = update(schema.batches).values(state=int(BatchState.PROCESSING))
        await connection.execute(state.where(_batch.batch_key.in_(running)))

    await database.write(write)
    await update_statistics(database)


def batch_id(number: int) -> str:
    """Return the id of a batch: every third one is another caller's."""
    return f"{'c' if number % 3 else 'b'}-{number}"


def state_of(number: int) -> BatchState:
    """Return the state of a batch: one of 40 is under way."""
    return BatchState.COMPLETED if number % 40 else BatchState.PROCESSING


def labels_of(number: int) -> dict[str, str]:
    """Return the labels of a batch: few are old, and only the oldest is the first."""
    labels = ALL | (ODD if number % 2 else EVEN) | (OLD if number < FEW // 2 else NEW)
    return labels if number else labels | FIRST


def is_selected(number: int, selected: BatchFilter) -> bool:
    """Return whether a filter selects a batch."""
    return (
        selected.labels.items() <= labels_of(number).items()
        and selected.state in (None, state_of(number))
        and batch_id(number).startswith(selected.id_prefix)
    )
