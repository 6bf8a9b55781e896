"""Transactions: the only place that begins, times and retries them, and translates their errors."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Self, TypeVar

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DataError, SQLAlchemyError

from batches.database_url import describe_place, parse_url, split_url
from batches.errors import DatabaseUnavailable, DatabaseUnusable, TransactionTooLarge, ValueRefused
from batches.settings import DatabaseSettings
from batches.store import engines
from batches.store.connections import AsyncConnection, AsyncEngine
from batches.store.diagnosis import describe, diagnose
from batches.store.refusals import Refusal, refusal_of
from batches.store.retries import another_was_first, delay_seconds, may_read_later, may_write_later
from batches.store.script import end_transaction, has_ended
from process.accounts import RotatedAccount
from process.database_logins import DatabaseLogins

MIGRATION_STATEMENT_SECONDS_MAX = 6 * 3_600
"""Changing a table of some hundred million rows takes hours, during which the server sends nothing. For
statements that callers wait for, the limit is engines.STATEMENT_SECONDS_MAX."""
TABLE_WAIT_SECONDS_MAX = 1
"""How long a migration waits for transactions that use its table. Every report waits behind it meanwhile, and
the default is a year. MySQL counts in whole seconds."""
TRANSACTION_SECONDS_MAX = 20
"""The longest time for a transaction with its retries: twice that of a statement, so that one that timed out
is retried."""
NODE_SECONDS_MAX = 8.0
"""How long transactions look for a node that takes them, from the first that was refused: a planned
switch-over takes some 2 s, and clusters replace a dead node within 6 to 7.7 s, of which 5 cannot be changed.
Our client waits 10 s for an answer. After that each transaction tries a new connection once, until one
succeeds; callers would otherwise wait for one search after the other."""
NODE_TRIES_MIN = 2
"""The second is made with a new connection."""

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
        url_file: The file that contains the URL. It is read again when the database refuses the account.

    """

    def __init__(self, url: str, *, connections_max: int, url_file: Path | None = None) -> None:
        self._account = RotatedAccount(url, url_file, split_url)
        self._logins = DatabaseLogins(self._account)
        self._url = parse_url(url)
        self._engine = engines.create_engine(self._url, connections_max, self._logins)
        self._has_answered = False
        self._running: set[asyncio.Task[Any]] = set()
        self.connections_max = connections_max
        """The size of the pool."""
        self._node_lost_at: float | None = None
        """When transactions began to look for a node, on the monotonic clock; None while one takes them."""
        self.retries: Counter[Refusal] = Counter()
        """How many transactions were retried so far, by the reason."""
        self.conflicts = 0
        """How many times a transaction has lost against another one so far; waits for a lock do not count."""
        self.failures: Counter[Refusal | None] = Counter()
        """How many transactions failed so far despite their retries; None: for another reason."""

    @classmethod
    def of(cls, settings: DatabaseSettings, *, connections_max: int) -> Self:
        """Return the database that settings name, and read their file again when it refuses the account."""
        url = settings.database_url.get_secret_value()
        return cls(url, connections_max=connections_max, url_file=settings.database_url_file)

    @property
    def engine(self) -> AsyncEngine:
        """The SQLAlchemy engine, for migrations and checks."""
        return self._engine

    @property
    def place(self) -> str:
        """Where the data is, for logs and errors: without a secret."""
        return describe_place(self._url, self._account.current.user)

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is an SQLite file."""
        return self._engine.dialect.name == "sqlite"

    async def write(
        self, work: Work[Result], *, conflicts_max: int | None = None, in_own_task: bool = True
    ) -> Result:
        """Run `work` in a transaction and commit it.

        After a conflict or a lost connection, or on a node that cannot write, the whole transaction is
        retried, even if it is unknown whether the commit succeeded: everything written here is idempotent.

        Args:
            work: The statements.
            conflicts_max: After how many conflicts it is given up, since smaller transactions may succeed: in
                a cluster, a large one may lose against small ones for ever. 0: at the first conflict or wait
                for a lock, which do not count otherwise. Default: when the time is over.
            in_own_task: Whether it ends even if the caller is cancelled; it costs a task.

        Raises:
            TransactionTooLarge: nothing was written; a smaller transaction may succeed.
            DatabaseUnavailable: the database did not answer in time; whether it committed is unknown.
            ValueRefused: nothing was written, and a retry would fail as well.

        """
        transaction = self._retried(partial(self._write_once, work), may_write_later, conflicts_max)
        return await (self._run_to_end(transaction) if in_own_task else transaction)

    async def read(
        self, work: Work[Result], *, snapshot: bool = False, seconds_max: float | None = None
    ) -> Result:
        """Run `work` in a transaction that writes nothing.

        Args:
            work: The reads.
            snapshot: Whether all reads must see the database at the same moment.
            seconds_max: The longest time with retries, if it is not TRANSACTION_SECONDS_MAX.

        Raises:
            DatabaseUnavailable: the database did not answer in time.

        """
        once = partial(self._read_once, work, snapshot=snapshot)
        return await self._run_to_end(self._retried(once, may_read_later, seconds_max=seconds_max))

    @asynccontextmanager
    async def migration(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction on a separate connection whose statements may take hours.

        On a cluster it may see an older state than a `read` before it: that read waits for the newest one.
        """
        if self.is_sqlite:
            async with self._engine.begin() as connection:
                yield connection
            return
        await self.ping()  # with the short limits: fails soon if the server does not answer at all
        engine = engines.create_server_engine(
            self._url,
            1,
            self._logins,
            MIGRATION_STATEMENT_SECONDS_MAX,
            # A statement that has locked its table would wait for transactions that wait for the table.
            in_sync=False,
        )
        try:
            async with engine.begin() as connection:
                await connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {TABLE_WAIT_SECONDS_MAX}")
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

    async def _retried(
        self,
        once: Callable[[], Coroutine[Any, Any, Result]],
        may_succeed: Callable[[BaseException], bool],
        conflicts_max: int | None = None,
        seconds_max: float | None = None,
    ) -> Result:
        try:
            async with asyncio.timeout(seconds_max or TRANSACTION_SECONDS_MAX):
                result = await self._tried(once, may_succeed, conflicts_max)
        except DataError as error:
            raise ValueRefused from error
        except (SQLAlchemyError, OSError) as error:
            refusal = refusal_of(error)
            if refusal is Refusal.TOO_LARGE or (refusal is Refusal.CONFLICT and conflicts_max is not None):
                self.retries[refusal] += 1  # by the caller, in smaller ones
                raise TransactionTooLarge from error
            self.failures[refusal] += 1
            raise self._unavailable(error) from error
        self._node_lost_at = None
        self._has_answered = True
        return result

    async def _tried(
        self,
        once: Callable[[], Coroutine[Any, Any, Result]],
        may_succeed: Callable[[BaseException], bool],
        conflicts_max: int | None,
    ) -> Result:
        """Run a transaction until it succeeds, or is given up."""
        begun = time.monotonic()
        for number in count(1):
            try:
                return await once()
            except Exception as error:
                if not may_succeed(error) or self._is_given_up(error, number, begun, conflicts_max):
                    raise
                if refusal := refusal_of(error):
                    self.retries[refusal] += 1
            await asyncio.sleep(delay_seconds(number))
        raise AssertionError  # the numbers do not end

    def unavailable(self, error: BaseException) -> DatabaseUnavailable:
        """Return the error to raise instead of one of the driver."""
        return diagnose(error, self._url, self._account.current.user)

    def _unavailable(self, error: BaseException) -> DatabaseUnavailable:
        """Log an error and return the one to raise; a program that has just started says the sentence."""
        unavailable = self.unavailable(error)
        if not isinstance(unavailable, DatabaseUnusable):
            _log.warning("database unavailable", error=describe(error))
        elif self._has_answered:
            _log.warning("database unavailable", error=describe(error), reason=str(unavailable))
        return unavailable

    def _is_given_up(self, error: Exception, tries: int, begun: float, conflicts_max: int | None) -> bool:
        refusal, has_lost = refusal_of(error), another_was_first(error)
        self.conflicts += has_lost
        is_conflict = has_lost or (conflicts_max == 0 and refusal is Refusal.CONFLICT)
        if conflicts_max is not None and is_conflict and tries >= conflicts_max:
            return True
        if refusal is Refusal.ELSEWHERE and tries >= NODE_TRIES_MIN:
            self._node_lost_at = self._node_lost_at or time.monotonic()
            return time.monotonic() - self._node_lost_at >= NODE_SECONDS_MAX
        return time.monotonic() - begun >= TRANSACTION_SECONDS_MAX - engines.STATEMENT_SECONDS_MAX

    async def _write_once(self, work: Work[Result]) -> Result:
        async def committed(connection: AsyncConnection) -> Result:
            result = await work(connection)
            await end_transaction(connection)
            return result

        return await self._connected(committed)

    async def _read_once(self, work: Work[Result], *, snapshot: bool) -> Result:
        async def prepared(connection: AsyncConnection) -> Result:
            if self.is_sqlite:  # where a transaction always reads a snapshot
                await connection.execution_options(**_READ_ONLY)
            elif snapshot:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            return await work(connection)

        return await self._connected(prepared)

    async def _connected(self, work: Work[Result]) -> Result:
        """Run `work` with a connection of the pool."""
        connection = await self._engine.open()
        try:
            result = await work(connection)
        except BaseException:
            await connection.close_surely()
            raise
        if has_ended(connection):  # nothing is left to wait for
            await connection.close()
        else:
            await connection.close_surely()
        return result


async def _select_one(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))
