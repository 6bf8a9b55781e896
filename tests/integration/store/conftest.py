"""Fixtures of the store's tests."""

from collections.abc import AsyncIterator, Iterator

import pytest

from batches.store.batch_store import BatchStore
from batches.store.database import Database
from database_servers import DatabaseServer
from database_servers.given import GivenServer
from tests.support.storage import Databases


@pytest.fixture
async def other_database(database_url: str) -> AsyncIterator[Database]:
    """Return the same database over separate connections, as another replica has them."""
    database = Database(database_url, connections_max=8)
    yield database
    await database.close()


@pytest.fixture
def other_store(other_database: Database) -> BatchStore:
    """Return the store of another replica."""
    return BatchStore(other_database)


@pytest.fixture
def own_server(databases: Databases) -> Iterator[DatabaseServer]:
    """Return the server if the tests may suspend and change it; it runs again afterwards."""
    server = databases.server
    if server is None or isinstance(server, GivenServer):
        pytest.skip("This server is not ours to freeze or to change.")
    yield server
    server.resume()
