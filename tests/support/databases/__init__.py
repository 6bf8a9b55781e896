"""Real MySQL and MariaDB servers for tests and benchmarks, found or set up on this machine."""

from tests.support.databases.engines import ENGINES, Engine
from tests.support.databases.errors import DatabaseServerFailed, DatabaseServerUnavailable
from tests.support.databases.locate import database_server, describe
from tests.support.databases.server import DatabaseServer

__all__ = [
    "ENGINES",
    "DatabaseServer",
    "DatabaseServerFailed",
    "DatabaseServerUnavailable",
    "Engine",
    "database_server",
    "describe",
]
