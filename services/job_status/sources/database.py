"""Reading a queue's database: every query bounded in time, every error told as QueueUnavailable."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import structlog
from sqlalchemy import URL, Row, Select, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.job_status.source import QueueUnavailable

QUERY_SECONDS_MAX = 10.0
"""Counting a million jobs takes MySQL under a second, so whoever needs ten is away. Without it a frozen
server would hang us for ever: the driver has no time-out of its own, and neither has pool_pre_ping."""
CLOSE_SECONDS_MAX = 2.0
"""For saying good-bye to the database: over TLS it must answer that, and a frozen one must not hold us up."""
CONNECTIONS_MAX = 5
"""The reconciler asks about a few batches at a time, and the database is not ours: others need it more."""

AnySelect = Select[*tuple[Any, ...]]
AnyRow = Row[*tuple[Any, ...]]

_log = structlog.get_logger()


class QueueDatabase:
    """The database a queue keeps its jobs in, for one SELECT at a time."""

    def __init__(self, url: str, *, query_seconds_max: float = QUERY_SECONDS_MAX) -> None:
        """Take a URL that `check_url` accepts; nothing is connected yet."""
        self._engine = _create_engine(make_url(url))
        self._query_seconds_max = query_seconds_max
        self._last_cause = ""

    @property
    def dialect_name(self) -> str:
        """What SQLAlchemy calls the kind of database: mysql, mariadb, postgresql, sqlite."""
        return self._engine.dialect.name

    async def rows(self, statement: AnySelect) -> Sequence[AnyRow]:
        """Return all rows of a SELECT; QueueUnavailable if they do not come in time."""
        try:
            async with asyncio.timeout(self._query_seconds_max), self._engine.connect() as connection:
                rows: Sequence[AnyRow] = (await connection.execute(statement)).all()
        except (SQLAlchemyError, OSError) as error:
            self._log_once(error)
            raise QueueUnavailable from error
        self._last_cause = ""
        return rows

    async def close(self) -> None:
        """Close every connection, or drop them if the database does not take part."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await self._engine.dispose()
        except (SQLAlchemyError, OSError):
            await self._engine.dispose(close=False)

    def _log_once(self, error: Exception) -> None:
        """Log a cause when it changes: readiness alone asks every two seconds."""
        cause = str(getattr(error, "orig", None) or type(error).__name__)
        if cause != self._last_cause:
            _log.warning("the queue's database does not answer", cause=cause)
        self._last_cause = cause


def check_url(text: str) -> None:
    """Check a URL without connecting.

    Raises:
        ValueError: it is no URL of a database we can read; the message never holds the URL, which has a
            password.

    """
    url = _parse(text)
    try:
        dialect = url.get_dialect()
        is_async = dialect.is_async and dialect.import_dbapi() is not None
    except (NoSuchModuleError, ImportError):
        raise ValueError(f"the driver {url.drivername} is not installed") from None
    if not is_async:
        raise ValueError(
            f"the driver {url.drivername} is not async: take mysql+asyncmy, postgresql+asyncpg"
            " or sqlite+aiosqlite"
        )


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("is no database URL such as mysql+asyncmy://user:password@host/database") from None
    if url.database in {None, "", ":memory:"}:
        raise ValueError("names no database")
    return url


def _create_engine(url: URL) -> AsyncEngine:
    return create_async_engine(
        _never_creating(url),
        pool_size=CONNECTIONS_MAX,
        max_overflow=0,
        # One round trip a call, so that a database that was restarted is not told as being away.
        pool_pre_ping=True,
        # One SELECT is one moment anyway; a transaction around it would only be a snapshot left open
        # and a ROLLBACK that hangs on a frozen server.
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        hide_parameters=True,
    )


def _never_creating(url: URL) -> URL:
    """Let SQLite open only a file that exists: it would create an empty database in its place."""
    if url.get_backend_name() != "sqlite" or "uri" in url.query:
        return url
    return url.set(database=f"file:{quote(url.database or '')}").update_query_dict(
        {"uri": "true", "mode": "rw"}
    )
