"""The interface of every engine to the tests: a database of its own for each test."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from batches.migrations import migrate
from batches.store.database import Database
from database_servers import DatabaseServer
from tests.support.storage.engines import EngineName


class Databases(ABC):
    """Databases of one engine, for one test at a time. Must not be called in a running event loop."""

    engine: EngineName
    server: DatabaseServer | None = None
    """The server of the databases; SQLite has none."""

    @abstractmethod
    def migrated(self) -> AbstractContextManager[str]:
        """Return the URL of a database with empty tables; rows that a test leaves are deleted afterwards."""

    @abstractmethod
    def without_tables(self) -> AbstractContextManager[str]:
        """Return the URL of a database without tables; it is dropped afterwards."""

    @abstractmethod
    def close(self) -> None:
        """Drop what all tests share; fail if the database of a test is left."""


async def upgrade(url: str) -> None:
    """Upgrade a database to the schema of this checkout."""
    database = Database(url, connections_max=1)
    try:
        await migrate.upgrade(database)
    finally:
        await database.close()
