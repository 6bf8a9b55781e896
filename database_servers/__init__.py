"""Servers for tests and benchmarks, found or set up on this machine: MySQL and MariaDB by `database_server`.

The modules postgresql, redis, galera and haproxy have the others.
"""

from database_servers.engines import ENGINES, Engine
from database_servers.errors import DatabaseServerFailed, DatabaseServerUnavailable
from database_servers.locate import database_server, describe
from database_servers.server import DatabaseServer

__all__ = [
    "ENGINES",
    "DatabaseServer",
    "DatabaseServerFailed",
    "DatabaseServerUnavailable",
    "Engine",
    "database_server",
    "describe",
]
