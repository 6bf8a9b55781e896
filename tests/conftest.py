"""Databases for all tests, the choice of tests for `make test`, and the summary of a run."""

import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress._grpc import call_processes
from database_servers import ENGINES as SERVERS
from database_servers import database_server
from tests.cluster import figures as cluster_figures
from tests.faults import caller_figures, summary
from tests.k8s import needs as kubernetes
from tests.support import full_size, not_run, selection
from tests.support.leftovers import mark_this_run, processes_left
from tests.support.notes import FIGURES, figures, notes
from tests.support.storage import ENGINES, Databases, EngineName, ServerDatabases, SqliteDatabases

__all__ = ["figures"]  # a fixture of all tests

CONNECTIONS_MAX = 8
"""The default of the setting."""
FULL_SIZE_SECONDS_MAX = 1800
"""Tests in full size take up to some ten minutes."""


def pytest_configure() -> None:
    """Stop ignoring SIGINT, as background jobs of a script do: the processes of tests inherit it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Let `make test` not even import the tests that it leaves out, and their browser and queues."""
    if config.option.markexpr == selection.MAKE_TEST and selection.is_left_to_more(collection_path):
        return True
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Choose the tests of `make test`, and keep those of a shared server in one process, which starts it."""
    selection.mark_more(items)
    config.stash[selection.COLLECTED] = list(items)
    for item in items:
        engine = not_run.engine_of(item)
        if engine in SERVERS and "databases" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(engine))
        if os.environ.get("FAULTS") == "full":
            is_bounded = item.nodeid.startswith(full_size.FOLDERS)
            seconds_max = full_size.TEST_SECONDS_MAX if is_bounded else FULL_SIZE_SECONDS_MAX
            item.add_marker(pytest.mark.timeout(seconds_max))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test before its fixtures run if this machine cannot run it."""
    kubernetes.require(item)
    not_run.require_engine(item)
    if item.nodeid.startswith(full_size.FOLDERS):
        full_size.require_time(item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show figures, the programs that were used, and the tests that were not run."""
    rows = summary.noted_rows(terminalreporter)
    for title, lines in (
        ("figures", notes(terminalreporter, FIGURES)),
        ("faults", summary.table(rows)),
        ("hostile callers", caller_figures.table(terminalreporter)),
        ("clusters", cluster_figures.table(terminalreporter)),
        ("scenarios", full_size.table(terminalreporter)),
        ("databases", not_run.lines(terminalreporter, "found")),
        ("kubernetes", kubernetes.used(terminalreporter)),
    ):
        _write_section(terminalreporter, title, lines)
    _write_section(terminalreporter, "kubernetes", kubernetes.lines(terminalreporter), red=True, bold=True)
    missing = not_run.lines(terminalreporter, "missing")
    _write_section(terminalreporter, "databases", missing, red=True, bold=True)


def _write_section(
    reporter: pytest.TerminalReporter, title: str, lines: Sequence[str], **markup: Any
) -> None:
    if lines:
        reporter.section(title, **markup)
        reporter.write_line("\n".join(lines), **markup)


@pytest.fixture(scope="session", autouse=True)
def _no_process_is_left() -> Iterator[None]:
    """Fail the run if a process that it started still runs at its end."""
    mark = mark_this_run()
    yield
    if call_processes._control is not None:  # noqa: SLF001  # a test forked after a call; it lives as long as we do
        call_processes._control.close()  # noqa: SLF001
    assert processes_left(mark) == []


@pytest.fixture(scope="session", params=ENGINES)
def database_engine(request: pytest.FixtureRequest) -> EngineName:
    """Return each engine in turn; tests choose some with an indirect parameter."""
    engine: EngineName = request.param
    return engine


@pytest.fixture(scope="session")
def databases(database_engine: EngineName) -> Iterator[Databases]:
    """Return a maker of databases on one engine, whose server runs while tests need it."""
    if database_engine == "sqlite":
        yield from _closed(SqliteDatabases())
        return
    with database_server(database_engine) as server:
        yield from _closed(ServerDatabases(server))


def _closed(databases: Databases) -> Iterator[Databases]:
    yield databases
    databases.close()


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """Return the URL of a migrated database with empty tables."""
    with databases.migrated() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the URL of a new database file, for tests to which the engine makes no difference."""
    return f"sqlite+aiosqlite:///{tmp_path}/batches.db"


@pytest.fixture
def new_database_url(databases: Databases) -> Iterator[str]:
    """Return the URL of a database without tables."""
    with databases.without_tables() as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Return a migrated database with empty tables."""
    database = Database(database_url, connections_max=CONNECTIONS_MAX)
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> BatchStore:
    """Return the store over an empty database."""
    return BatchStore(database)
