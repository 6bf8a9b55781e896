"""What an upgrade of a new database sends: nothing that fails on a replica that meets it twice."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from batches.migrations import migrate
from batches.store.database import Database
from tests.integration.store.steps import execute, on_servers, scalar


@contextmanager
def sent_statements() -> Iterator[list[str]]:
    """Record every statement that this process sends to a database."""
    sent: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        sent.append(statement.strip())

    event.listen(Engine, "before_cursor_execute", record)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", record)


async def _upgrade(url: str) -> None:
    database = Database(url, connections_max=1)
    try:
        await migrate.upgrade(database)
    finally:
        await database.close()


@on_servers
async def test_indexes_of_a_new_database_are_created_with_their_tables(new_database_url: str) -> None:
    with sent_statements() as sent:
        await _upgrade(new_database_url)
    assert [one for one in sent if one.startswith("CREATE INDEX")] == []
    creations = [one for one in sent if one.startswith("CREATE TABLE")]
    assert creations
    assert [one for one in creations if "IF NOT EXISTS" not in one] == []


@on_servers
async def test_an_upgrade_of_a_new_database_logs_no_warning_of_the_driver(
    new_database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither of the table of leases, which exists already, nor of the name of a primary key."""
    with caplog.at_level(logging.WARNING):
        await _upgrade(new_database_url)
    assert caplog.messages == []


@on_servers
async def test_an_index_that_an_interrupted_upgrade_left_out_is_created(new_database_url: str) -> None:
    """Versions before 0.2 created indexes after their tables."""
    await _upgrade(new_database_url)
    database = Database(new_database_url, connections_max=1)
    await execute(database, "DROP INDEX job_results_by_outcome ON job_results")
    await execute(database, "DELETE FROM alembic_version")
    await migrate.upgrade(database)
    query = (
        "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE()"
        " AND index_name = 'job_results_by_outcome'"
    )
    assert await scalar(database, query) == 3
    await database.close()
