"""Transactions: begun, timed, retried, and their errors translated, all in this one place."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
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
"""The longest wait for one answer of the database. The driver's own default is to wait for ever, so that a
frozen server would hold every connection. Ten seconds is far above a slow commit."""
MIGRATION_STATEMENT_SECONDS_MAX = 6 * 3_600
"""Changing a table of some hundred million rows takes hours, in which the server answers nothing: the
limit above is for statements that callers wait for."""
TRANSACTION_SECONDS_MAX = 20
"""The longest a transaction and its retries may take: twice a statement's, so that one is tried again."""
LOCK_WAIT_SECONDS_MAX = 5
"""MySQL's default of 50 s outlives any caller's deadline; a transaction that waits longer is run again."""
CONNECT_SECONDS_MAX = 5
"""A TCP connection and a login take milliseconds; more means the server is not there."""
CONNECTION_AGE_SECONDS_MAX = 1_800
"""Below the idle time-outs of proxies and of MySQL (8 h), which cut connections without a word."""
RETRY_DELAY_SECONDS_MAX = 0.5
"""Longer than a deadlock's cure takes; kept short since every waiting caller's deadline runs."""
SQLITE_BUSY_SECONDS_MAX = 10
"""How long SQLite waits for its one writer: as long as a statement may take elsewhere."""
SQLITE_SWITCHES_MAX = 20
"""Two connections that open a new file together need two attempts; the rest is for many of them."""

_LOCK_WAIT_TIMEOUT = 1205
_DEADLOCK = 1213
_TRANSIENT_CODES = frozenset({_LOCK_WAIT_TIMEOUT, _DEADLOCK})
_NO_DEFAULT = 1364
_READ_ONLY = {"batches_read_only": True}

Result = TypeVar("Result")
Work = Callable[[AsyncConnection], Awaitable[Result]]
"""What is done in one transaction. It may be done again, so it must not touch anything but the database."""

_log = structlog.get_logger()


class Database:
    """One connection pool and the rules for using it."""

    def __init__(self, url: str, *, connections_max: int) -> None:
        """Take a SQLAlchemy URL; nothing is connected yet."""
        self._engine = _create_engine(make_url(url), connections_max)
        self._running: set[asyncio.Task[Any]] = set()
        self.retries = 0
        """Transactions that were run again so far."""
        self.failures = 0
        """Transactions that failed after their retries so far."""

    @property
    def engine(self) -> AsyncEngine:
        """The engine, for migrations and checks."""
        return self._engine

    @property
    def is_sqlite(self) -> bool:
        """Whether this is an embedded file."""
        return self._engine.dialect.name == "sqlite"

    async def write(self, work: Work[Result]) -> Result:
        """Run `work` in a transaction that commits before this returns.

        Deadlocks, lock time-outs and lost connections run the whole of it again, also if
        the commit's outcome is unknown: everything written here is idempotent.

        Raises:
            DatabaseUnavailable: the database did not answer in time; the outcome is unknown.
            ValueRefused: nothing was written, nor will be if it is tried again.

        """
        return await self._to_its_end(self._retried(partial(self._write_once, work)))

    async def read(self, work: Work[Result], *, snapshot: bool = False) -> Result:
        """Run `work` in a transaction that writes nothing; with `snapshot`, all reads are of one moment.

        Raises:
            DatabaseUnavailable: the database did not answer in time.

        """
        return await self._to_its_end(self._retried(partial(self._read_once, work, snapshot=snapshot)))

    @asynccontextmanager
    async def migration(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction on a connection of its own, whose statements may take a migration's time."""
        if self.is_sqlite:
            async with self._engine.begin() as connection:
                yield connection
            return
        await self.ping()  # under the short limits: who does not answer now will not be waited for
        engine = _create_server_engine(self._engine.url, 1, MIGRATION_STATEMENT_SECONDS_MAX)
        try:
            async with engine.begin() as connection:
                yield connection
        finally:
            await engine.dispose()

    async def ping(self) -> None:
        """Fail if the database does not answer."""
        await self.read(_select_one)

    async def close(self) -> None:
        """Wait for what runs, then close all connections."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._engine.dispose()

    async def _to_its_end(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run in a task of its own, to the end even if the caller is cancelled.

        A cancelled statement goes on in MySQL, and costs the pool its connection each time.
        """
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen: the caller may be gone

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
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            if refuses_a_value(error):
                raise ValueRefused from error
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
        if snapshot and not self.is_sqlite:  # a reader of SQLite sees one moment by itself
            options["isolation_level"] = "REPEATABLE READ"
        async with self._engine.connect() as connection:
            await connection.execution_options(**options)
            return await work(connection)


def is_transient(error: BaseException) -> bool:
    """Whether running the transaction again may help: a deadlock, a lock time-out, a lost connection."""
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or _code(error) in _TRANSIENT_CODES


def refuses_a_value(error: BaseException) -> bool:
    """Whether what was to be written is at fault, not the database, nor a schema that is ahead of us."""
    return isinstance(error, DataError) and _code(error) != _NO_DEFAULT


def describe(error: BaseException) -> str:
    """Return an error for the log: the driver's class and code, never a statement, a value or a URL."""
    if isinstance(error, DBAPIError):
        return f"{type(error.orig).__name__} {_code(error) or ''}".rstrip()
    return type(error).__name__


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
        hide_parameters=True,  # an error in the log names no job and quotes nobody's error message
        # Under REPEATABLE READ a transaction does not see what others committed before it got the lock.
        isolation_level="READ COMMITTED",
        pool_size=connections_max,
        max_overflow=0,
        pool_timeout=STATEMENT_SECONDS_MAX,
        pool_recycle=CONNECTION_AGE_SECONDS_MAX,
        connect_args={
            "connect_timeout": CONNECT_SECONDS_MAX,
            "read_timeout": statement_seconds_max,
            # Strict, so that nothing is ever stored cut or changed.
            "init_command": f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS_MAX},"
            " sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
        },
    )


def _create_sqlite_engine(url: URL, connections_max: int) -> AsyncEngine:
    engine = create_async_engine(url, hide_parameters=True, pool_size=connections_max, max_overflow=0)

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_SECONDS_MAX * 1_000}")
        _use_write_ahead_log(cursor)
        cursor.execute("PRAGMA synchronous = FULL")  # an acknowledged result survives a power cut
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        # A deferred BEGIN that writes later meets SQLITE_BUSY at once, or loses updates silently.
        read_only = connection.get_execution_options().get("batches_read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _use_write_ahead_log(cursor: Any) -> None:
    """Switch a new file over: if two do so together, SQLite refuses one without the busy time-out."""
    for _ in range(SQLITE_SWITCHES_MAX):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            cursor.execute("BEGIN IMMEDIATE")  # waits for the other one
            cursor.execute("ROLLBACK")
        else:
            return
    cursor.execute("PRAGMA journal_mode = WAL")
