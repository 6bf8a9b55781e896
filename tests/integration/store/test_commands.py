"""python -m batches: upgrade, check, and their errors."""

import asyncio
import os
import sys

import pytest
from sqlalchemy import make_url

from batches.migrations.migrate import head_version
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from process.configuration import EXIT_BAD_CONFIGURATION
from tests.integration.store.steps import create, execute, on_sqlite, report
from tests.support.samples import FAILED, results

COMMAND_SECONDS_MAX = 60
"""Far above the time of Python's imports and a few statements."""


async def run(url: str, *command: str) -> tuple[int, str, str]:
    """Run a command; return its exit code and what it prints to stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "batches",
        *command,
        env={**os.environ, "BATCHES_DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(COMMAND_SECONDS_MAX):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@on_sqlite
async def test_upgrade_creates_the_schema_once(new_database_url: str) -> None:
    """A second upgrade finds it up to date."""
    for done in ("created", "already up to date"):
        code, out, err = await run(new_database_url, "upgrade")
        assert (code, out) == (0, f"schema {head_version()}: {done}\n")
        (line,) = err.splitlines()
        file = make_url(new_database_url).database
        assert '"event": "upgrading"' in line
        assert f'"database": "SQLite file {file}"' in line


@on_sqlite
async def test_upgrade_refuses_a_newer_schema(database: Database, database_url: str) -> None:
    """A retry cannot help: the exit code is that of a wrong configuration."""
    await execute(database, "UPDATE alembic_version SET version_num = '9999'")
    code, out, err = await run(database_url, "upgrade")
    assert (code, out) == (EXIT_BAD_CONFIGURATION, "")
    assert "it has schema 9999, on which this version" in err


@on_sqlite
async def test_check_counts_batches_and_results(store: BatchStore, database_url: str) -> None:
    """A consistent database has no differences."""
    await create(store, 10)
    await report(store, *results(3))
    code, out, _ = await run(database_url, "check")
    assert (code, out) == (0, "batches: 1, results: 3, differences: 0\n")


@on_sqlite
async def test_check_lists_differences(store: BatchStore, database: Database, database_url: str) -> None:
    """The exit code is 1."""
    await create(store, 10)
    await execute(database, "UPDATE batches SET failed_jobs = 2")
    code, out, _ = await run(database_url, "check")
    assert code == 1
    assert "failed_jobs" in out
    assert out.endswith("batches: 1, results: 0, differences: 1\n")


@on_sqlite
async def test_check_repairs_failure_groups(store: BatchStore, database: Database, database_url: str) -> None:
    """A second check finds nothing."""
    await create(store, 10)
    await report(store, *results(3, FAILED))
    await execute(database, "DELETE FROM failure_groups")
    code, out, _ = await run(database_url, "check")
    assert (code, out.splitlines()[-1]) == (1, "batches: 1, results: 3, differences: 1")
    assert "failure group (others)" in out
    code, out, _ = await run(database_url, "check", "--repair")
    counted_again = "batches whose failure groups were counted again: 1\n"
    assert (code, out) == (0, f"batches: 1, results: 3, differences: 0\n{counted_again}")
    assert (await run(database_url, "check"))[0] == 0


@pytest.mark.parametrize("command", ["upgrade", "check"])
async def test_an_unavailable_database_is_named_without_its_password(command: str) -> None:
    """The error says what happened, to what, and what to check."""
    code, out, err = await run("mysql+asyncmy://worker:secret@127.0.0.1:1/name?charset=utf8mb4", command)
    assert (code, out) == (1, "")
    sentence = err.splitlines()[-1]
    assert sentence.startswith("database name on 127.0.0.1:1 as user worker does not answer; check")
    assert "BATCHES_DATABASE_URL (2003: " in sentence
    assert "secret" not in err
    assert "Traceback" not in err
