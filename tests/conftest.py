"""Databases for every test that asks for one, what was not run without them, and that nothing is left."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from batches.store.database import Database
from batches.store.store import BatchStore
from tests.support import not_run
from tests.support.databases import database_server
from tests.support.figures import FIGURES, figures
from tests.support.leftovers import mark_this_run, processes_left
from tests.support.storage import (
    ENGINES,
    Databases,
    EngineName,
    ServerDatabases,
    SqliteDatabases,
    missing_reason,
)

__all__ = ["figures"]  # a fixture for all

NEEDING = pytest.StashKey[Counter[EngineName]]()
CONNECTIONS_MAX = 8
"""The default of the setting."""


def pytest_report_collectionfinish(config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
    """Say what was found, once it is known what is needed: a look may download a server of 60 MB."""
    needing = config.stash[NEEDING] = not_run.count_needing(items)
    return [*not_run.found_lines(needing), *not_run.missing_lines(needing)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Repeat at the end what was not run: nobody scrolls up."""
    measured = config.stash.get(FIGURES, [])
    if measured:
        terminalreporter.section("figures")
        for line in measured:
            terminalreporter.line(line)
    lines = not_run.missing_lines(config.stash.get(NEEDING, Counter()))
    if lines:
        terminalreporter.section("databases", red=True, bold=True)
        for line in lines:
            terminalreporter.line(line, red=True, bold=True)


@pytest.fixture(scope="session", autouse=True)
def _no_process_is_left() -> Iterator[None]:
    """Fail the run if a process it started outlives it."""
    mark = mark_this_run()
    yield
    assert processes_left(mark) == []


@pytest.fixture(scope="session", params=ENGINES)
def database_engine(request: pytest.FixtureRequest) -> EngineName:
    """Return each engine in turn; a test may ask for some with an indirect parameter."""
    engine: EngineName = request.param
    return engine


@pytest.fixture(scope="session")
def databases(database_engine: EngineName) -> Iterator[Databases]:
    """Return what makes databases of one engine; its server runs while tests need it."""
    if database_engine == "sqlite":
        yield from _closed(SqliteDatabases())
        return
    _require(database_engine)
    with database_server(database_engine) as server:
        yield from _closed(ServerDatabases(server))


def _closed(databases: Databases) -> Iterator[Databases]:
    yield databases
    databases.close()


def _require(engine: EngineName) -> None:
    """Skip, or on CI fail, for want of a server."""
    if reason := missing_reason(engine):
        not_run.skip_or_fail(reason)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """Return the URL of a migrated database with empty tables."""
    with databases.migrated() as url:
        yield url


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
