"""Reading the recorded attempts of jobs."""

from functools import partial

import pytest
from sqlalchemy import text

from batches.result import (
    StoredAttempt,
)
from batches.store import attempts as attempts_module
from batches.store.batch_store import BatchStore
from batches.store.column_types import IDENTIFIER_CHARACTERS_MAX
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from tests.integration.store.steps import (
    DUPLICATE,
    RECORDED,
    create,
    on_mariadb,
    report,
)
from tests.support.samples import (
    FAILED,
    RECONCILER,
    SUCCEEDED,
    WORKER,
    result,
)


async def test_jobs_are_looked_up_in_portions(store: BatchStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each recorded attempt is found, whatever the size of a portion."""
    monkeypatch.setattr(attempts_module, "READ_JOBS_MAX", 7)
    monkeypatch.setattr(attempts_module, "READ_BATCHES_MAX", 2)
    ids = ["one", "two", "three"]
    for batch_id in ids:
        await create(store, 20, batch_id)
    reports = [result(f"job-{number}", batch_id=ids[number % 3]) for number in range(44)]
    assert await report(store, *reports) == [RECORDED] * 44
    assert await report(store, *reports) == [DUPLICATE] * 44


def test_a_statement_looks_up_a_bounded_number_of_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch is a branch of an OR, whose depth SQLite limits."""
    monkeypatch.setattr(attempts_module, "READ_BATCHES_MAX", 2)
    statements = attempts_module.attempt_statements((key, "job") for key in range(5))
    assert [statement.sql.count("job_id IN") for statement in statements] == [2, 2, 1]


async def test_attempts_of_other_batches_are_not_read(store: BatchStore, database: Database) -> None:
    """A job_id is unique only within its batch."""
    batch = await create(store, 1)
    await create(store, 1, "other")
    await report(store, result("job"), result("job", batch_id="other"))
    keys = [(batch.batch_key, "job")]
    found = await database.read(lambda connection: attempts_module.read_attempts(connection, keys))
    assert found == {(batch.batch_key, "job"): StoredAttempt(1, SUCCEEDED, WORKER)}


async def test_recorded_attempts_are_read(store: BatchStore) -> None:
    """Jobs without a result are left out."""
    batch = await create(store, 10)
    await report(store, result("a", FAILED, attempt=2))
    await report(store, result("b"), source=RECONCILER)
    assert await store.read_attempts(batch.batch_key, ["a", "A", "b", "c"]) == {
        "a": StoredAttempt(2, FAILED, WORKER),
        "b": StoredAttempt(1, SUCCEEDED, RECONCILER),
    }
    assert await store.read_attempts(batch.batch_key, []) == {}


@pytest.mark.parametrize("job_ids", [["b", "d"], ["d", "b"], ["b", "c", "d"], ["a", "zz"]], ids=" ".join)
async def test_all_wanted_attempts_of_the_batch_are_returned(store: BatchStore, job_ids: list[str]) -> None:
    """The jobs may be ordered or not, and side by side or far apart; jobs between them may come too."""
    batch, other = await create(store, 20), await create(store, 20, "other")
    recorded = [*"abcdefgh", "zz"]
    await report(store, *map(result, recorded), result("c", FAILED, batch_id=other.batch_id))
    found = await store.read_attempts(batch.batch_key, job_ids)
    assert set(job_ids) <= set(found) <= set(recorded)
    assert set(found.values()) == {StoredAttempt(1, SUCCEEDED, WORKER)}


async def test_attempts_of_the_longest_ids(store: BatchStore) -> None:
    """A megabyte of ids is read completely, also by MariaDB, which cuts long texts."""
    job_ids = [f"{number:04}".ljust(IDENTIFIER_CHARACTERS_MAX, "x") for number in range(9_000)]
    batch = await create(store, len(job_ids))
    await report(store, *map(result, job_ids))
    found = await store.read_attempts(batch.batch_key, job_ids[::2])
    assert set(job_ids[::2]) <= set(found) <= set(job_ids)


@on_mariadb
async def test_an_array_of_ids_that_mariadb_cuts_is_not_used(store: BatchStore, database: Database) -> None:
    """The cut may leave a valid array, with fewer ids or a shorter last one."""
    job_ids = ["job", "job-1", "job-2"]
    batch = await create(store, len(job_ids))
    await report(store, *map(result, job_ids))

    async def read(connection: AsyncConnection, bytes_max: int) -> set[str]:
        await connection.execute(text(f"SET SESSION group_concat_max_len = {bytes_max}"))
        return set(await attempts_module.read_batch_attempts(connection, batch.batch_key, job_ids))

    for bytes_max in range(4, len("job,job-1,job-2") + 10):
        assert await database.read(partial(read, bytes_max=bytes_max)) == set(job_ids)
