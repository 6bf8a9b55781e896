"""The migration to schema 0008 counts the failures that earlier versions have recorded."""

from types import ModuleType

import pytest

from batches.migrations import migrate, scripts
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import create, differences, execute, report, scalar
from tests.support.samples import FAILED, failure, result


@pytest.fixture
def migration() -> ModuleType:
    """Return the migration as a module whose constants a test may change."""
    (found,) = (script.module for script in scripts.all_scripts() if script.revision == "0008")
    return found


async def test_an_upgrade_counts_the_failures_that_are_there(store: BatchStore, database: Database) -> None:
    """The groups are those that are counted when results are recorded."""
    await create(store, 100)
    await report(store, *(failure(f"j{n}", f"E{n // 4}", f"row {n}") for n in range(10)), result("fine"))
    before = await store.list_failure_groups("batch", after=0, size=9)
    await execute(database, "DROP TABLE failure_groups")
    await execute(database, "DELETE FROM schema_programs")
    await execute(database, "UPDATE alembic_version SET version_num = '0007'")
    assert await migrate.upgrade(database) == ("0007", migrate.head_version())
    assert await store.list_failure_groups("batch", after=0, size=9) == before
    assert await differences(store) == []


async def test_kinds_beyond_the_limit_are_counted_together(
    store: BatchStore, database: Database, migration: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most frequent kinds of each batch get groups of their own, and what was counted is replaced."""
    monkeypatch.setattr(migration, "OWN_GROUPS_MAX", 2)
    monkeypatch.setattr(migration, "PORTION_BATCHES", 1)
    for batch_id in ("batch", "empty", "other"):
        await create(store, 100, batch_id)
    await report(store, *(failure(f"j{n}", f"E{n // 4}") for n in range(10)))
    await report(store, result("j0", FAILED, batch_id="other"), result("j1", batch_id="empty"))
    await count(database, migration)
    sizes = "SELECT COUNT(*) FROM failure_groups WHERE failed_jobs = 4 AND own_groups = 0"
    assert await scalar(database, sizes) == 2
    others = "SELECT failed_jobs FROM failure_groups WHERE fingerprint = '' AND own_groups = 2"
    assert await scalar(database, others) == 2
    assert await differences(store) == []


async def test_counting_stops_after_a_time(
    store: BatchStore, database: Database, migration: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The groups of the other batches are read from their rows."""
    monkeypatch.setattr(migration, "COUNTING_SECONDS_MAX", -1)
    await create(store, 100)
    await report(store, failure("a", "E"))
    await execute(database, "DELETE FROM failure_groups")
    await count(database, migration)
    assert await scalar(database, "SELECT COUNT(*) FROM failure_groups") == 0
    (group,) = (await store.list_failure_groups("batch", after=0, size=9)).groups
    assert (group.error_type, group.failed_jobs) == ("E", 1)


async def count(database: Database, migration: ModuleType) -> None:
    """Count all failures as the migration does."""
    async with database.migration() as connection:
        await connection.run_sync(migration.count_failures)
