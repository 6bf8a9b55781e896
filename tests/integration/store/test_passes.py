"""The passes of the reconciler that are kept."""

import re
from datetime import datetime

import pytest

from batches.passes import PassKind, PassNumbers
from batches.store import passes
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import execute, on_sqlite
from tests.support.samples import NOON

DAY_SECONDS = 86_400.0
OF_ALL_BY_HAND = PassKind(manual=True)
OF_ONE = PassKind(manual=True, one_batch=True)


async def last_pass(database: Database) -> datetime | None:
    """Return when the newest pass over all batches ended or began."""
    return await database.read(passes.read_last_pass_time)


async def test_the_beginning_and_the_end_of_a_pass_are_kept(store: BatchStore, database: Database) -> None:
    assert await last_pass(database) is None
    key = await store.begin_pass()
    began = await last_pass(database)
    await store.end_pass(key, PassNumbers())
    ended = await last_pass(database)
    assert began is not None
    assert ended is not None
    assert NOON < began <= ended


async def test_what_a_pass_did_is_listed(store: BatchStore) -> None:
    numbers = PassNumbers(
        batches_looked_at=3, batches_repaired=1, batches_left={"still_pending": 2}, errors=1, cut_short="why"
    )
    await store.end_pass(await store.begin_pass(OF_ALL_BY_HAND), numbers)
    await store.begin_pass()
    page = await store.list_passes(before_key=None, size=10)
    running, ended = page.items
    assert (running.end_time, running.manual, running.numbers) == (None, False, PassNumbers())
    assert (ended.manual, ended.numbers) == (True, numbers)
    assert ended.end_time is not None


async def test_passes_are_listed_newest_first_in_pages(store: BatchStore) -> None:
    keys = [(await store.begin_pass()).pass_key for _ in range(3)]
    first = await store.list_passes(before_key=None, size=2)
    assert [one.pass_key for one in first.items] == keys[:0:-1]
    second = await store.list_passes(before_key=first.next_key, size=2)
    assert ([one.pass_key for one in second.items], second.next_key) == (keys[:1], None)


async def test_a_pass_over_one_batch_does_not_show_that_the_others_run(
    store: BatchStore, database: Database
) -> None:
    await store.end_pass(await store.begin_pass(OF_ONE), PassNumbers())
    assert await last_pass(database) is None
    assert await database.read(passes.read_last_end_time) is None
    await store.end_pass(await store.begin_pass(OF_ALL_BY_HAND), PassNumbers())
    assert await last_pass(database) is not None
    assert await database.read(passes.read_last_end_time) is not None


@on_sqlite
async def test_passes_of_older_reconcilers_are_scheduled_ones(store: BatchStore, database: Database) -> None:
    """They keep the beginning and the end only."""
    await execute(database, "INSERT INTO passes (start_time) VALUES ('2026-01-01 00:00:00.000000')")
    assert await last_pass(database) is not None
    (one,) = (await store.list_passes(before_key=None, size=1)).items
    assert (one.manual, one.numbers) == (False, PassNumbers())


async def test_only_the_newest_passes_of_a_kind_are_kept(
    store: BatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passes by hand push no scheduled ones out."""
    monkeypatch.setattr(passes, "KEPT_PASSES_MAX", 2)
    for kind in (PassKind(), PassKind(), PassKind(), OF_ONE, OF_ONE, OF_ALL_BY_HAND):
        await store.begin_pass(kind)
    kept = (await store.list_passes(before_key=None, size=10)).items
    assert [one.manual for one in kept] == [True, True, False, False]


async def test_the_database_is_named_without_its_address(store: BatchStore, database: Database) -> None:
    info = await store.read_server_info()
    assert re.fullmatch(r"(MySQL|MariaDB|SQLite) \d+\.\d+(\.\d+)?", info.database)
    assert info.last_pass_time is None
    await store.end_pass(await store.begin_pass(), PassNumbers())
    assert (await store.read_server_info()).last_pass_time == await last_pass(database)


async def test_a_jump_of_the_clock_is_kept_until_a_person_believes_it(
    store: BatchStore, database: Database
) -> None:
    """A pass over one batch does not make the next one believe it."""
    await store.begin_pass(retention_seconds=DAY_SECONDS * 30)
    await execute(database, "UPDATE passes SET start_time = '2020-01-01 00:00:00.000000'")
    for kind in (OF_ONE, PassKind()):
        begun = await store.begin_pass(kind, DAY_SECONDS * 30)
        assert begun.time.deletes_before(DAY_SECONDS * 30).year == 2019
    assert (await store.read_overview(300)).clock_jump_seconds > 5 * 365 * DAY_SECONDS
    begun = await store.begin_pass(retention_seconds=DAY_SECONDS * 30, trusts_clock=True)
    assert begun.time.jump is None
    assert (await store.read_overview(300)).clock_jump_seconds == 0
