"""What every engine offers to a test: a database of its own."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from batches.migrations import migrate
from batches.store.database import Database
from database_servers import DatabaseServer
from tests.support.storage.engines import EngineName


class Databases(ABC):
    """Databases of one engine, one test at a time. Not to be called inside a running event loop."""

    engine: EngineName
    server: DatabaseServer | None = None
    """The server they are on; SQLite has none."""

    @abstractmethod
    def migrated(self) -> AbstractContextManager[str]:
        """Give the URL of a database with empty tables; what the test leaves in it is gone afterwards."""

    @abstractmethod
    def without_tables(self) -> AbstractContextManager[str]:
        """Give the URL of a database that has nothing in it; it is dropped afterwards."""

    @abstractmethod
    def close(self) -> None:
        """Drop what is there for all tests; fails if a test's database is left."""


async def upgrade(url: str) -> None:
    """Bring a database to the schema of this checkout."""
    database = Database(url, connections_max=1)
    try:
        await migrate.upgrade(database)
    finally:
        await database.close()
