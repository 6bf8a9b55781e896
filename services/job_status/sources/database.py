"""Reads a queue's database: every query has a time-out, and every error is raised as QueueUnavailable."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Row, Select, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from batches import database_tls
from batches.database_url import DRIVERS, parse_url
from process.accounts import Account, RotatedAccount
from process.database_logins import DatabaseLogins
from process.urls import require_encoded_at
from services.job_status.source import QueueContradiction, QueueUnavailable
from services.job_status.sources.outages import OutageLog

QUERY_SECONDS_MAX = 10.0
"""MySQL counts a million jobs in under a second, so a database that needs ten is unavailable. Without this
limit a frozen server would block forever: neither the driver nor pool_pre_ping has a time-out."""
CLOSE_SECONDS_MAX = 2.0
"""Limits the closing of connections: with TLS the database must answer, and a frozen one must not delay the
exit."""
CONNECTIONS_MAX = 5
"""The reconciler asks about a few batches at a time, and the database's connections belong to others."""

AnySelect = Select[*tuple[Any, ...]]
AnyRow = Row[*tuple[Any, ...]]


class QueueDatabase:
    """The database of a queue, for single SELECT statements. Connects at the first query.

    Args:
        url: a URL that `check_url` accepts.
        file: the file that contains the URL. It is read again when the database refuses the account.
        query_seconds_max: the time-out of a query, including the wait for a connection.

    """

    def __init__(
        self, url: str, *, file: Path | None = None, query_seconds_max: float = QUERY_SECONDS_MAX
    ) -> None:
        logins = DatabaseLogins(RotatedAccount(url, file, _split))
        self._engine = _create_engine(make_url(url), logins)
        self._query_seconds_max = query_seconds_max
        self._outages = OutageLog("the queue's database does not answer")

    @property
    def dialect_name(self) -> str:
        """SQLAlchemy's name of the dialect: mysql, mariadb, postgresql or sqlite."""
        return self._engine.dialect.name

    async def rows(self, statement: AnySelect) -> Sequence[AnyRow]:
        """Return all rows of a SELECT.

        Raises:
            QueueUnavailable: the query failed or timed out.
            QueueContradiction: a text is not in the encoding of the database.

        """
        try:
            async with asyncio.timeout(self._query_seconds_max):
                rows = await self._read(statement)
        except UnicodeError as error:
            raise QueueContradiction("a text is not in the encoding of the database") from error
        except (SQLAlchemyError, OSError) as error:
            self._outages.failed(error)
            raise QueueUnavailable from error
        self._outages.recovered()
        return rows

    async def _read(self, statement: AnySelect) -> Sequence[AnyRow]:
        """Return all rows; read again if the connection was lost, or its account is no longer valid."""
        try:
            return await self._read_once(statement)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return await self._read_once(statement)

    async def _read_once(self, statement: AnySelect) -> Sequence[AnyRow]:
        async with self._engine.connect() as connection:
            return (await connection.execute(statement)).all()

    async def close(self) -> None:
        """Close all connections, or drop them if the database does not answer."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await self._engine.dispose()
        except (SQLAlchemyError, OSError):
            await self._engine.dispose(close=False)


def check_url(text: str) -> None:
    """Check a database URL without connecting.

    Raises:
        ValueError: the URL is malformed, its driver cannot be used, or it names a file that cannot be read.
            The message never contains the URL, because it may hold a password.

    """
    url = _parse(text)
    _tls_of(url)
    try:
        dialect = url.get_dialect()
        is_async = dialect.is_async and dialect.import_dbapi() is not None
    except (NoSuchModuleError, ImportError):
        raise ValueError(f"the driver {url.drivername} is not installed") from None
    if not is_async:
        raise ValueError(
            f"the driver {url.drivername} is not async: use mysql+asyncmy, postgresql+asyncpg"
            " or sqlite+aiosqlite"
        )


def _parse(text: str) -> URL:
    if not text.startswith("sqlite"):
        require_encoded_at(text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(
            "is not a database URL such as mysql+asyncmy://user:password@host/database"
        ) from None
    if url.database in {None, "", ":memory:"}:
        raise ValueError("does not name a database")
    return parse_url(text) if _is_ours(url) else url


def _is_ours(url: URL) -> bool:
    """Return whether the URL has the same parameters as BATCHES_DATABASE_URL."""
    return url.drivername in DRIVERS and url.get_backend_name() != "sqlite"


def _tls_of(url: URL) -> dict[str, Any]:
    """Return the driver's argument for TLS; none for plaintext, or if the driver reads the URL itself."""
    context = database_tls.tls_of(url) if _is_ours(url) else None
    return {} if context is None else {"ssl": context}


def _for_driver(url: URL) -> URL:
    """Return the URL with parameters that its driver knows."""
    if _is_ours(url):
        return database_tls.without_tls(url)
    if url.get_driver_name() == "asyncpg" and "sslmode" in url.query:  # as PostgreSQL's own clients call it
        renamed = url.difference_update_query(["sslmode"])
        return renamed.update_query_dict({"ssl": url.query["sslmode"]})
    return _without_creating(url)


def _split(text: str) -> tuple[Account, URL]:
    url = _parse(text)
    return Account(url.username, url.password), url.set(username="", password="")


def _create_engine(url: URL, logins: DatabaseLogins) -> AsyncEngine:
    engine = create_async_engine(
        _for_driver(url),
        connect_args=_tls_of(url),
        pool_size=CONNECTIONS_MAX,
        max_overflow=0,
        # One round trip per query, so that a restarted database is not reported as unavailable.
        pool_pre_ping=True,
        # A single SELECT is consistent by itself. A transaction would only leave a snapshot open, and add a
        # ROLLBACK that hangs on a frozen server.
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        hide_parameters=True,
    )
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _read_any_text)
    else:
        event.listen(engine.sync_engine, "do_connect", logins.connect)
        event.listen(engine.sync_engine, "handle_error", logins.handle_error)
    return engine


def _read_any_text(connection: Any, _record: object) -> None:
    """Make SQLite return bytes that are not UTF-8 as lone surrogates.

    By default such a query fails, which would look as if the whole queue were unavailable.
    """
    connection.driver_connection.text_factory = lambda text: text.decode(errors="surrogateescape")


def _without_creating(url: URL) -> URL:
    """Make SQLite open only a file that exists: by default it creates an empty database."""
    if url.get_backend_name() != "sqlite" or "uri" in url.query:
        return url
    return url.set(database=f"file:{quote(url.database or '')}").update_query_dict(
        {"uri": "true", "mode": "rw"}
    )
