"""Fixtures of the fault tests: a seed, a size, a database server to break, and the final check."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from batches.migrations import migrate
from batches.store.database import Database
from database_servers import (
    ENGINES,
    DatabaseServer,
    Engine,
    database_server,
)
from tests.faults import summary
from tests.faults.evidence import findings
from tests.faults.ledger import Ledger

FULL = os.environ.get("FAULTS", "quick") == "full"
"""`make test-faults` sets FAULTS=full; `make test-more` runs a quick size of each fault, on one engine."""
QUICK_ENGINES: tuple[Engine, ...] = ("mysql",)
"""The one that most of our users have."""
SEED = os.environ.get("FAULTS_SEED")
"""Set it to the seed of a failed run to repeat that run."""
SEED_MAX = 2**32

Verdict = Callable[[str, int, Ledger], Awaitable[None]]
"""Checks the database against the ledger. Args: name of the fault, how often it happened, ledger."""


@dataclass(frozen=True, slots=True)
class Target:
    """A database, and its server, which tests may kill or freeze."""

    server: DatabaseServer
    url: str


@pytest.fixture
def full() -> bool:
    """Return whether the sizes are those of `make test-faults`."""
    return FULL


@pytest.fixture
def seed() -> int:
    """Return the seed of this test, which a failure and the table at the end show."""
    chosen = int(SEED) if SEED else random.randrange(SEED_MAX)
    print(f"FAULTS_SEED={chosen}")  # shown if the test fails
    return chosen


@pytest.fixture
def order(seed: int) -> random.Random:
    """Return the source of all random numbers of this test."""
    return random.Random(seed)


@pytest.fixture(scope="session", params=ENGINES if FULL else QUICK_ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Return each engine that the size is for."""
    chosen: Engine = request.param
    return chosen


@pytest.fixture(scope="session")
def breakable_server(engine: Engine) -> Iterator[DatabaseServer]:
    """Return a server that only these tests use, since they break it."""
    with database_server(engine, own=True) as server:
        yield server


@pytest_asyncio.fixture
async def target(breakable_server: DatabaseServer, request: pytest.FixtureRequest) -> AsyncIterator[Target]:
    """Return an empty, migrated database."""
    name = f"fault_{abs(hash(request.node.nodeid)):x}"
    await _execute(breakable_server, f"CREATE DATABASE {name}")
    database = Database(breakable_server.url(name), connections_max=1)
    await migrate.upgrade(database)
    await database.close()
    yield Target(breakable_server, breakable_server.url(name))
    await _execute(breakable_server, f"DROP DATABASE {name}")


@pytest.fixture
def verdict(target: Target, engine: Engine, seed: int, request: pytest.FixtureRequest) -> Verdict:
    """Return the final check of a test, which adds a row to the table and fails on any violation."""

    async def judge(fault: str, times: int, ledger: Ledger) -> None:
        found = await findings(ledger, target.url)
        summary.note_row(request.node, summary.Row.of((fault, engine, seed), times, ledger, found))
        assert not found, found
        assert not ledger.refused, ledger.refused

    return judge


async def _execute(server: DatabaseServer, statement: str) -> None:
    engine = create_async_engine(server.url())
    try:
        async with asyncio.timeout(60), engine.begin() as connection:
            await connection.execute(text(statement))
    finally:
        await engine.dispose()
