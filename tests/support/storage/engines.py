"""The engines that the tests run on, and which of them this machine has."""

import sqlite3
from functools import cache
from typing import Literal

import database_servers
from database_servers import DatabaseServerUnavailable

EngineName = Literal["sqlite", "mysql", "mariadb"]
ENGINES: tuple[EngineName, ...] = ("sqlite", *database_servers.ENGINES)
LABELS: dict[EngineName, str] = {"sqlite": "SQLite", "mysql": "MySQL", "mariadb": "MariaDB"}


@cache
def _look(engine: EngineName) -> tuple[str, str]:
    """Return what was found and why nothing was, one of them empty; the first call may download a server."""
    if engine == "sqlite":
        return f"SQLite {sqlite3.sqlite_version} (Python's own)", ""
    try:
        return database_servers.describe(engine), ""
    except DatabaseServerUnavailable as error:
        return "", str(error)


def found(engine: EngineName) -> str:
    """Return the version and the location of an engine in one line; empty if it is missing."""
    return _look(engine)[0]


def missing_reason(engine: EngineName) -> str:
    """Return in one sentence why an engine is missing; empty if it is available."""
    return _look(engine)[1]
