"""Transactions: the only place that begins, times and retries them, and translates their errors."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import structlog
from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from batches.errors import DatabaseUnavailable, ValueRefused

STATEMENT_SECONDS_MAX = 10
"""The longest wait for the answer to a statement. The driver waits for ever by default, so a frozen server
would block every connection. Ten seconds is far above a slow commit."""
MIGRATION_STATEMENT_SECONDS_MAX = 6 * 3_600
"""Changing a table of some hundred million rows takes hours, during which the server sends nothing. The limit
above is for statements that callers wait for."""
TRANSACTION_SECONDS_MAX = 20
"""The longest time for a transaction with its retries: twice that of a statement, so that one that timed out
is retried."""
LOCK_WAIT_SECONDS_MAX = 5
"""MySQL's default of 50 s outlives any caller's deadline. A transaction that waits longer is retried."""
CONNECT_SECONDS_MAX = 5
"""A TCP connection and a login take milliseconds; if they take longer, the server is down."""
CONNECTION_AGE_SECONDS_MAX = 1_800
"""Below the idle time-outs of proxies and of MySQL (8 h), which close connections without notice."""
RETRY_DELAY_SECONDS_MAX = 0.5
"""Longer than it takes to resolve a deadlock; short, since the deadlines of waiting callers are running."""
SQLITE_BUSY_SECONDS_MAX = 10
"""How long SQLite waits for the connection that is writing: the same as for a statement on other engines."""
SQLITE_FILE_MODE = 0o600
"""Of a new file: job ids and error messages may be personal data."""
SQLITE_SWITCHES_MAX = 20
"""Two connections that open a new file at the same time need two attempts; the rest is for more of them."""

_LOCK_WAIT_TIMEOUT = 1205
_DEADLOCK = 1213
_TRANSIENT_CODES = frozenset({_LOCK_WAIT_TIMEOUT, _DEADLOCK})
_READ_ONLY = {"batches_read_only": True}

Result = TypeVar("Result")
Work = Callable[[AsyncConnection], Awaitable[Result]]
"""The content of a transaction. It may run several times, so it must change nothing but the database."""

_log = structlog.get_logger()


class Database:
    """A connection pool and the rules for using it. It connects at the first transaction.

    Args:
        url: The SQLAlchemy URL.
        connections_max: The size of the pool.

    """

    def __init__(self, url: str, *, connections_max: int) -> None:
        self._engine = _create_engine(make_url(url), connections_max)
        self._running: set[asyncio.Task[Any]] = set()
        self.retries = 0
        """The number of retried transactions so far."""
        self.failures = 0
        """The number of transactions so far that failed despite their retries."""

    @property
    def engine(self) -> AsyncEngine:
        """The SQLAlchemy engine, for migrations and checks."""
        return self._engine

    @property
    def address(self) -> str:
        """The URL without its password."""
        return self._engine.url.set(query={}).render_as_string(hide_password=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is an SQLite file."""
        return self._engine.dialect.name == "sqlite"

    async def write(self, work: Work[Result]) -> Result:
        """Run `work` in a transaction and commit it.

        After a deadlock, a lock time-out or a lost connection the whole transaction is retried, even
        if it is unknown whether the commit succeeded: everything written here is idempotent.

        Raises:
            DatabaseUnavailable: the database did not answer in time; whether it committed is unknown.
            ValueRefused: nothing was written, and a retry would fail as well.

        """
        return await self._run_to_end(self._retried(partial(self._write_once, work)))

    async def read(self, work: Work[Result], *, snapshot: bool = False) -> Result:
        """Run `work` in a transaction that writes nothing.

        Args:
            work: The reads.
            snapshot: Whether all reads must see the database at the same moment.

        Raises:
            DatabaseUnavailable: the database did not answer in time.

        """
        return await self._run_to_end(self._retried(partial(self._read_once, work, snapshot=snapshot)))

    @asynccontextmanager
    async def migration(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction on a separate connection whose statements may take hours."""
        if self.is_sqlite:
            async with self._engine.begin() as connection:
                yield connection
            return
        await self.ping()  # with the short limits: fails soon if the server does not answer at all
        engine = _create_server_engine(self._engine.url, 1, MIGRATION_STATEMENT_SECONDS_MAX)
        try:
            async with engine.begin() as connection:
                yield connection
        finally:
            await engine.dispose()

    async def ping(self) -> None:
        """Check that the database answers.

        Raises:
            DatabaseUnavailable: the database did not answer in time.

        """
        await self.read(_select_one)

    async def close(self) -> None:
        """Wait for running transactions, then close all connections."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._engine.dispose()

    async def _run_to_end(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a transaction in a task of its own, so that it ends even if its caller is cancelled.

        MySQL would finish a cancelled statement anyway, and the pool would lose its connection.
        """
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, since the caller may be gone

    async def _retried(self, once: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        retrying = AsyncRetrying(
            retry=retry_if_exception(is_transient),
            wait=wait_random_exponential(multiplier=0.01, max=RETRY_DELAY_SECONDS_MAX),
            stop=stop_after_delay(TRANSACTION_SECONDS_MAX - STATEMENT_SECONDS_MAX),
            before_sleep=self._count_retry,
            reraise=True,
        )
        try:
            async with asyncio.timeout(TRANSACTION_SECONDS_MAX):
                return await retrying(once)
        except DataError as error:
            raise ValueRefused from error
        except (SQLAlchemyError, OSError) as error:
            self.failures += 1
            _log.warning("database unavailable", error=describe(error))
            raise DatabaseUnavailable from error

    def _count_retry(self, _state: RetryCallState) -> None:
        self.retries += 1

    async def _write_once(self, work: Work[Result]) -> Result:
        async with self._engine.begin() as connection:
            return await work(connection)

    async def _read_once(self, work: Work[Result], *, snapshot: bool) -> Result:
        options: dict[str, Any] = dict(_READ_ONLY)
        if snapshot and not self.is_sqlite:  # a transaction of SQLite always reads a snapshot
            options["isolation_level"] = "REPEATABLE READ"
        async with self._engine.connect() as connection:
            await connection.execution_options(**options)
            return await work(connection)


def is_transient(error: BaseException) -> bool:
    """Return whether a retry may succeed: after a deadlock, a lock time-out or a lost connection."""
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or _code(error) in _TRANSIENT_CODES


def describe(error: BaseException) -> str:
    """Return an error for the log: the driver's class and code, but never a statement, a value or a URL."""
    if isinstance(error, DBAPIError):
        return f"{type(error.orig).__name__} {_code(error) or ''}".rstrip()
    return type(error).__name__


def explain(error: DatabaseUnavailable) -> str:
    """Return the cause of an error for those who run the database; it may name the host and the user."""
    cause = error.__cause__
    if isinstance(cause, DBAPIError):
        code = _code(cause)
        return str(cause.orig) if code is None or cause.orig is None else f"{cause.orig.args[-1]} ({code})"
    return str(cause) or f"no answer within {TRANSACTION_SECONDS_MAX} s"


def _code(error: DBAPIError) -> int | None:
    code = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return code if isinstance(code, int) else None


async def _select_one(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))


def _create_engine(url: URL, connections_max: int) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        return _create_sqlite_engine(url, connections_max)
    return _create_server_engine(url, connections_max, STATEMENT_SECONDS_MAX)


def _create_server_engine(url: URL, connections_max: int, statement_seconds_max: float) -> AsyncEngine:
    return create_async_engine(
        url,
        hide_parameters=True,  # a logged error must not contain job ids or error messages
        # With REPEATABLE READ a transaction would not see what others committed while it waited for a lock.
        isolation_level="READ COMMITTED",
        pool_size=connections_max,
        max_overflow=0,
        pool_timeout=STATEMENT_SECONDS_MAX,
        pool_recycle=CONNECTION_AGE_SECONDS_MAX,
        connect_args={
            "connect_timeout": CONNECT_SECONDS_MAX,
            "read_timeout": statement_seconds_max,
            # Strict mode: a value that does not fit is refused instead of cut.
            "init_command": f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS_MAX},"
            " sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
        },
    )


def _create_sqlite_engine(url: URL, connections_max: int) -> AsyncEngine:
    engine = create_async_engine(url, hide_parameters=True, pool_size=connections_max, max_overflow=0)

    @event.listens_for(engine.sync_engine, "do_connect")
    def _create(*_: object) -> None:
        _create_private_file(url.database or "")

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin below instead of in the driver
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_SECONDS_MAX * 1_000}")
        _use_write_ahead_log(cursor)
        cursor.execute("PRAGMA synchronous = FULL")  # an acknowledged result survives a power cut
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        # A deferred BEGIN that writes later would fail with SQLITE_BUSY at once, or lose updates silently.
        read_only = connection.get_execution_options().get("batches_read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _create_private_file(path: str) -> None:
    """Create a missing file: everyone could read one that SQLite creates. Its WAL gets the same mode."""
    if path in {"", ":memory:"} or path.startswith("file:"):  # no file, or an SQLite URI
        return
    # O_EXCL: closing a file that SQLite has open would release its locks, and then another process that ends
    # deletes the write-ahead log with all that it holds.
    with suppress(OSError):  # it exists, or SQLite says what is wrong when it opens the file
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, SQLITE_FILE_MODE))


def _use_write_ahead_log(cursor: Any) -> None:
    """Switch a new file to WAL. If two connections do so at once, SQLite refuses one without waiting."""
    for _ in range(SQLITE_SWITCHES_MAX):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            cursor.execute("BEGIN IMMEDIATE")  # waits for the other connection
            cursor.execute("ROLLBACK")
        else:
            return
    cursor.execute("PRAGMA journal_mode = WAL")
