"""How connections to a database are made: the drivers' limits, and what each session is set to."""

import os
import sqlite3
from contextlib import suppress
from typing import Any

from sqlalchemy import URL, PoolResetState, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry

from batches import database_tls
from batches.store.connections import AsyncEngine, create_async_engine
from batches.store.refusals import UNKNOWN_VARIABLE, Refusal, refusal_of
from batches.store.script import ENDED, ONE_BY_ONE, begin_of
from process.database_logins import DatabaseLogins

STATEMENT_SECONDS_MAX = 10
"""The longest wait for the answer to a statement. The driver waits for ever by default, so a frozen server
would block every connection. Ten seconds is far above a slow commit."""
LOCK_WAIT_SECONDS_MAX = 1
"""The shortest time that MySQL knows; its default of 50 s outlives any caller's deadline. The transaction is
tried again. A node that is made a reader waits for statements that wait for a row, while whoever has locked
the row waits for the node. No engine sees this deadlock, so each planned switch-over may last as long."""
CONNECT_SECONDS_MAX = 5
"""A TCP connection and a login take milliseconds; if they take longer, the server is down."""
CONNECTION_AGE_SECONDS_MAX = 1_800
"""Below the idle time-outs of proxies and of MySQL (8 h), which close connections without notice."""
IN_SYNC = ("wsrep_sync_wait = 1", "group_replication_consistency = 'BEFORE'")
"""For Galera and for Group Replication: a read waits until its node has applied what the cluster committed
before. Otherwise a batch that was created through another node is not found, and its reports are lost."""
PRIVILEGE_MISSING = 1227
"""The server does not let this account set a variable."""
SQLITE_BUSY_SECONDS_MAX = 10
"""How long SQLite waits for the connection that is writing: the same as for a statement on other engines."""
SQLITE_FILE_MODE = 0o600
"""Of a new file: job ids and error messages may be personal data."""
SQLITE_SWITCHES_MAX = 20
"""Two connections that open a new file at the same time need two attempts; the rest is for more of them."""


def create_engine(url: URL, connections_max: int, logins: DatabaseLogins) -> AsyncEngine:
    """Return an engine whose pool connects at the first transaction.

    Args:
        url: Of an SQLite file, or of a server.
        connections_max: The size of the pool.
        logins: Logs in to a server.

    """
    if url.get_backend_name() == "sqlite":
        return _create_sqlite_engine(url, connections_max)
    return create_server_engine(url, connections_max, logins, STATEMENT_SECONDS_MAX)


def create_server_engine(
    url: URL,
    connections_max: int,
    logins: DatabaseLogins,
    statement_seconds_max: float,
    *,
    in_sync: bool = True,
) -> AsyncEngine:
    """Return an engine for a server.

    Args:
        url: Of the server.
        connections_max: The size of the pool.
        logins: Logs in to the server.
        statement_seconds_max: How long a statement may take.
        in_sync: Whether statements wait until their node has applied what the cluster committed before.

    """
    from batches.store import driver  # noqa: PLC0415  # SQLite needs no driver of a server

    context = database_tls.tls_of(url)
    engine = create_async_engine(
        database_tls.without_tls(url),
        hide_parameters=True,  # a logged error must not contain job ids or error messages
        # With REPEATABLE READ a transaction would not see what others committed while it waited for a lock.
        isolation_level="READ COMMITTED",
        pool_size=connections_max,
        max_overflow=0,
        pool_timeout=STATEMENT_SECONDS_MAX,
        pool_recycle=CONNECTION_AGE_SECONDS_MAX,
        pool_reset_on_return=None,  # by _roll_back
        connect_args={
            "async_creator_fn": driver.connect,
            "connect_timeout": CONNECT_SECONDS_MAX,
            "answer_seconds_max": statement_seconds_max,
            **({} if context is None else {"ssl": context}),
            # Strict mode: a value that does not fit is refused instead of cut.
            "init_command": f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS_MAX},"
            " sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
        },
    )
    event.listen(engine.sync_engine, "reset", _roll_back)
    event.listen(engine.sync_engine, "do_connect", logins.connect)
    event.listen(engine.sync_engine, "handle_error", logins.handle_error)
    event.listen(engine.sync_engine, "handle_error", _leave_node)
    event.listen(engine.sync_engine, "connect", _note_galera)
    if in_sync:
        event.listen(engine.sync_engine, "connect", _read_in_sync)
    return engine


def _note_galera(connection: Any, record: ConnectionPoolEntry) -> None:
    """Let a connection to a node of Galera send the statements of a script one by one."""
    cursor = connection.cursor()
    try:
        cursor.execute("SELECT @@wsrep_on")
        record.info[ONE_BY_ONE] = bool(cursor.fetchone()[0])
    except connection.dbapi.Error as error:
        if error.args[0] != UNKNOWN_VARIABLE:
            raise
    finally:
        cursor.close()


def _read_in_sync(connection: Any, _record: object) -> None:
    for assignment in IN_SYNC:
        cursor = connection.cursor()
        try:
            cursor.execute(f"SET SESSION {assignment}")
        except connection.dbapi.Error as error:
            if error.args[0] not in {UNKNOWN_VARIABLE, PRIVILEGE_MISSING}:
                raise
        finally:
            cursor.close()


def _leave_node(context: ExceptionContext) -> None:
    """Close all connections to a node that cannot write: its proxy or name may lead to another one now."""
    if context.sqlalchemy_exception is not None:
        context.is_disconnect |= refusal_of(context.sqlalchemy_exception) is Refusal.ELSEWHERE


def _create_sqlite_engine(url: URL, connections_max: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        hide_parameters=True,
        pool_size=connections_max,
        max_overflow=0,
        pool_reset_on_return=None,  # by _roll_back
    )
    event.listen(engine.sync_engine, "reset", _roll_back)

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
        if not connection.connection.driver_connection.in_transaction:  # otherwise a script has begun it
            connection.exec_driver_sql(begin_of(connection))

    return engine


def _roll_back(connection: Any, record: Any, state: PoolResetState) -> None:
    """Roll back what a connection has left open when it returns to the pool, but not after each COMMIT."""
    has_ended = record.info.pop(ENDED, False) or state.transaction_was_reset
    if state.asyncio_safe and not state.terminate_only and not has_ended:
        connection.rollback()


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
