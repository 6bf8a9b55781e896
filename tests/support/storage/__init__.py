"""Empty, migrated databases for tests, on every engine that this machine has."""

from tests.support.storage.engines import ENGINES, EngineName, found, missing_reason
from tests.support.storage.folder import SqliteDatabases
from tests.support.storage.maker import Databases
from tests.support.storage.server import ServerDatabases

__all__ = [
    "ENGINES",
    "Databases",
    "EngineName",
    "ServerDatabases",
    "SqliteDatabases",
    "found",
    "missing_reason",
]
