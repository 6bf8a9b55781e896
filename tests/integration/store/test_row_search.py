"""Batches are found by failures, stall, time and prefix at a cost that does not depend on their number."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from batches import pace
from batches.batch import Batch, BatchState, Tally
from batches.listing import BatchFilter
from batches.store import label_search, row_search, schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.rows import changing_values
from tests.integration.store.steps import update_statistics
from tests.integration.store.test_label_search import all_pages, cost_of_page
from tests.support.samples import BATCH

SEARCHED = 20
FEW, MANY = 10 * SEARCHED, 100 * SEARCHED
LABEL = {"kind": "import"}
START = datetime(2026, 11, 1, tzinfo=UTC)
STEP = timedelta(minutes=10)
SILENCES_SECONDS = (1, 30, 90, 200, 400, 3_000, 4_000, -5, -90)
"""Far from what the rule distinguishes, since the tests take seconds; below 0 the clock was set back."""
RATES = (0.0, 0.0001, 1 / 60, 100.0)


@pytest.fixture(autouse=True)
def _short_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_search, "SEARCHED_MAX", SEARCHED)
    monkeypatch.setattr(label_search, "SEARCHED_WITH_PREFIX_MAX", SEARCHED)
    monkeypatch.setattr(row_search, "SEARCHED_MAX", SEARCHED)
    monkeypatch.setattr(row_search, "SORTED_MAX", SEARCHED)


async def test_pages_of_any_filters_contain_each_batch_once(store: BatchStore, database: Database) -> None:
    """This holds for short and empty pages."""
    stored = await insert_varied(database, 0, FEW)
    for seed in range(30):
        selected = any_filter(random.Random(seed))
        found = await all_pages(store, selected, size=7)
        expected = [one.batch_id for one in stored[::-1] if is_selected(one, selected)]
        assert found == expected, f"seed {seed}"


async def test_count_is_that_of_all_pages_or_unknown(store: BatchStore, database: Database) -> None:
    stored = await insert_varied(database, 0, FEW)
    counts = []
    for seed in range(30):
        selected = any_filter(random.Random(seed))
        counts.append(await store.count_batches(selected))
        expected = sum(is_selected(one, selected) for one in stored)
        assert counts[-1] in (None, expected), f"seed {seed}"
    assert None in counts
    assert await store.count_batches(BatchFilter()) == FEW
    assert await store.count_batches(BatchFilter(id_prefix="b-1", hides_others=True)) == 36


async def test_page_of_any_filter_costs_the_same_among_ten_times_as_many_batches(database: Database) -> None:
    """What is read is counted, not the seconds."""
    filters = {
        "failures": BatchFilter(with_failures=True),
        "stalled": BatchFilter(stalled=True),
        "of a day": BatchFilter(created_from=START, created_before=START + timedelta(days=1)),
        "broad prefix": BatchFilter(id_prefix="c-"),
    }
    costs = []
    for first, end in ((0, FEW), (FEW, MANY)):
        await insert_varied(database, first, end)
        costs.append({name: await cost_of_page(database, one) for name, one in filters.items()})
    few, many = costs
    assert {name: (few[name], many[name]) for name in filters if many[name] > 2 * few[name]} == {}


async def test_batches_created_while_the_clock_was_set_back_are_found(
    store: BatchStore, database: Database
) -> None:
    """Their times are earlier than those of the batches before them."""
    late = [START + STEP * number for number in range(12)]
    back = [START + STEP * number - timedelta(minutes=55) for number in range(12, 16)]
    await insert_all(database, [batch_of(n, create_time=time) for n, time in enumerate(late + back)])
    selected = BatchFilter(created_from=START, created_before=START + 7 * STEP)
    expected = [n for n, time in enumerate(late + back) if START <= time < START + 7 * STEP]
    assert expected[-1] == len(late)
    assert await all_pages(store, selected, 100) == [id_of(number) for number in expected[::-1]]


async def test_sql_says_that_a_batch_has_stalled_as_the_rule_does(
    store: BatchStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_search, "SEARCHED_MAX", FEW + 1)
    stored = await insert_varied(database, 0, FEW)
    stalled = sum(pace.has_stalled(batch, datetime.now(UTC)) for batch in stored)
    assert await store.count_batches(BatchFilter(stalled=True)) == stalled > 0


async def test_page_of_a_callers_own_batches_is_full_whatever_others_have(
    store: BatchStore, database: Database
) -> None:
    """Its length would tell about the batches of others."""
    await insert_varied(database, 0, FEW)
    own = BatchFilter(id_prefix="b-", hides_others=True)
    assert len((await store.list_batches(own, before_key=None, size=15)).items) == 15


def any_filter(chance: random.Random) -> BatchFilter:
    """Return a filter with some parts."""
    begin = START + STEP * chance.randrange(FEW)
    return BatchFilter(
        state=chance.choice([None, None, BatchState.PROCESSING]),
        labels=chance.choice([{}, {}, LABEL]),
        id_prefix=chance.choice(["", "", "b-", "c-1", "c-11"]),
        hides_others=chance.choice([True, False]),
        stalled=chance.choice([True, False]),
        with_failures=chance.choice([True, False]),
        created_from=chance.choice([None, begin]),
        created_before=chance.choice([None, begin + STEP * 60]),
    )


def is_selected(batch: Batch, selected: BatchFilter) -> bool:
    """Return whether a filter selects a batch."""
    return (
        selected.state in (None, batch.state)
        and selected.labels.items() <= batch.labels.items()
        and batch.batch_id.startswith(selected.id_prefix)
        and (not selected.stalled or pace.has_stalled(batch, datetime.now(UTC)))
        and (not selected.with_failures or batch.tally.failed > 0)
        and (selected.created_from is None or batch.create_time >= selected.created_from)
        and (selected.created_before is None or batch.create_time < selected.created_before)
    )


async def insert_varied(database: Database, first: int, end: int) -> list[Batch]:
    """Insert batches of any state, pace and silence, with one label on every second one."""
    chance = random.Random(first)
    now = datetime.now(UTC)
    batches = []
    for number in range(first, end):
        silence = timedelta(seconds=chance.choice(SILENCES_SECONDS))
        has_results = chance.choice([True, True, False])
        batch = batch_of(
            number,
            create_time=START + STEP * number,
            labels=LABEL if number % 2 else {},
            state=chance.choice([BatchState.PROCESSING, BatchState.COMPLETED]),
            tally=Tally(1, chance.choice([0, 1]), 0) if has_results else Tally(),
            results_per_second=chance.choice(RATES) if has_results else 0.0,
            first_result_time=now - timedelta(hours=2) if has_results else None,
            last_result_time=now - silence if has_results else None,
        )
        batches.append(batch)
    await insert_all(database, batches)
    await update_statistics(database)
    return batches


async def insert_all(database: Database, batches: list[Batch]) -> None:
    """Insert batches with ascending keys, and their labels."""
    rows = [
        {
            "batch_key": batch.batch_key,
            "batch_id": batch.batch_id,
            "display_name": "",
            "labels": dict(batch.labels),
            "created_total_jobs": 3,
            "created_sealed": True,
            "create_time": batch.create_time,
            **changing_values(batch),
        }
        for batch in batches
    ]
    labels = [
        {"label_key": name, "label_value": value, "batch_key": batch.batch_key}
        for batch in batches
        for name, value in batch.labels.items()
    ]
    await database.write(lambda connection: connection.execute(insert(schema.batches), rows))
    if labels:
        await database.write(lambda connection: connection.execute(insert(schema.batch_labels), labels))


def id_of(number: int) -> str:
    """Return the id of a batch: every third one begins with b."""
    return f"{'c' if number % 3 else 'b'}-{number}"


def batch_of(number: int, **changes: object) -> Batch:
    """Return a batch."""
    return replace(BATCH, batch_key=number + 1, batch_id=id_of(number), **changes)  # type: ignore[arg-type]
