"""Runs statements with little work for each, and asks the database once for all of them.

SQLAlchemy takes 0.1 to 0.2 ms of CPU for a statement and for each end of a transaction, and waits for the
answer to each. The statements of a report are few and always the same. They are a script: a server gets it as
one text, whose values the driver escapes, and SQLite runs it in one turn of its thread. A transaction may
have scripts and statements of SQLAlchemy, in any order (docs/decisions/0031).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any, cast

from sqlalchemy import Connection

from batches.store.column_types import time_text
from batches.store.connections import AsyncConnection

TEXT_BYTES_MAX = 1_000_000
"""Longer scripts are sent as several texts: a server may be configured to accept 1 MB at once."""
ROWS_A_CALL = 2_048
"""Rows that SQLite inserts at once: a full group, with fewer values than its limit of 32,766. It is a power
of two, as are all smaller numbers of rows: so there are twelve texts, which stay prepared."""
FEW_VALUES_FACTOR = 2
"""A column has few values if it has twice as many rows: looking up a text takes a third of making it."""
ENDED = "batchprogress_ended"
"""In the info of a pooled connection: its transaction has ended, so that no ROLLBACK is needed."""

ONE_BY_ONE = "batchprogress_one_by_one"
"""In the info of a pooled connection: whether each statement is sent alone, as Galera needs. It may abort a
transaction between two statements of one text: the rest of the text is run without an error, as another
transaction, which counted results whose rows were gone."""

PREPARED = "batchprogress_prepared"
"""In the info of a pooled connection: its prepared statements, by their SQL."""
NOT_PREPARED_CODES = frozenset({1243, 1461, 1615})
"""A server does not know a statement any more, has the most that it may have, or must prepare it again."""

Value = int | float | str | bytes | None
Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a script."""

    sql: str
    """With %s for each value."""
    values: Sequence[Value] = ()
    rows: Sequence[Sequence[Value]] = ()
    """Of an INSERT, which ends with VALUES then: at least one."""


COMMIT = Statement("COMMIT")


def marks(values: Collection[object]) -> str:
    """Return the places of values in a list of SQL."""
    return ", ".join(["%s"] * len(values))


def to_value(value: Value | datetime) -> Value:
    """Return a value as a script takes it."""
    return time_text(value) if isinstance(value, datetime) else value


async def run_script(connection: AsyncConnection, statements: Sequence[Statement]) -> list[Rows]:
    """Run statements, one after the other, up to the first one that fails.

    Returns:
        The rows of each statement that returns rows, in order, with the driver's values.

    Raises:
        DBAPIError: as if SQLAlchemy had run the statements.

    """
    sync = connection.sync_connection
    driver = _driver_of(sync)
    sync.info[ENDED] = False
    try:
        if sync.dialect.name == "sqlite":
            # No other method runs several statements in one turn of the thread.
            found = await driver._execute(_run_in_thread, driver._conn, begin_of(sync), statements)  # noqa: SLF001
        else:
            texts = [[one] for one in statements] if sync.info.get(ONE_BY_ONE) else [statements]
            found = [rows for one in texts for rows in await _run_texts(driver, one)]
    except Exception as error:
        await connection.run_sync(raise_translated, error)
        raise
    sync.info[ENDED] = COMMIT in statements[-1:]
    return cast("list[Rows]", found)


async def run_prepared(connection: AsyncConnection, statement: Statement) -> Rows:
    """Run a query that always has the same text.

    A server parses it once for each connection, and the driver reads the names and types of its columns once:
    for a row of a batch, that is three quarters of the work of both.

    Returns:
        Its rows, with the driver's values.

    Raises:
        DBAPIError: as if SQLAlchemy had run the statement.

    """
    sync = connection.sync_connection
    if sync.dialect.name == "sqlite":  # it keeps statements prepared anyway
        (rows,) = await run_script(connection, [statement])
        return rows
    sync.info[ENDED] = False
    try:
        prepared = sync.info.setdefault(PREPARED, {})
        if statement.sql not in prepared:
            prepared[statement.sql] = await _driver_of(sync).prepare(statement.sql.replace("%s", "?"))
        result = await prepared[statement.sql].execute(statement.values)
    except Exception as error:
        if error.args and error.args[0] in NOT_PREPARED_CODES:
            sync.info.pop(PREPARED, None)
            (rows,) = await run_script(connection, [statement])
            return rows
        await connection.run_sync(raise_translated, error)
        raise
    return cast("Rows", result.rows)


async def end_transaction(connection: AsyncConnection) -> None:
    """Commit what is not committed yet, and let the pool know that nothing is left to roll back."""
    info = connection.sync_connection.info
    if connection.in_transaction():  # statements of SQLAlchemy have begun one
        await connection.commit()
    elif not info.get(ENDED):
        await run_script(connection, [COMMIT])
    info[ENDED] = True


def has_ended(connection: AsyncConnection) -> bool:
    """Return whether the last statement of a connection was a COMMIT of a script."""
    sync = connection.sync_connection
    # A connection that was lost has no info: asking for it would connect anew.
    return not (sync.invalidated or sync.in_transaction()) and bool(sync.info.get(ENDED))


def begin_of(connection: Connection) -> str:
    """Return the statement that begins a transaction of SQLite.

    A deferred BEGIN that writes later would fail with SQLITE_BUSY at once, or lose updates silently.
    """
    return "BEGIN" if connection.get_execution_options().get("batches_read_only") else "BEGIN IMMEDIATE"


def _driver_of(connection: Connection) -> Any:
    return connection.connection.driver_connection


def raise_translated(connection: Connection, error: Exception) -> None:
    """Raise the error of SQLAlchemy for one of the driver; drop the connection, or all, if that is due.

    Args:
        connection: The connection on which the driver failed.
        error: What the driver raised.

    Raises:
        DBAPIError: as if SQLAlchemy had run the statement.

    """
    try:
        # asyncmy fails with AttributeError on a connection that was lost, which this recognises.
        adapter: Any = connection.connection.dbapi_connection
        adapter._handle_exception(error)  # noqa: SLF001  # as its cursors do
    except Exception as adapted:
        connection._handle_dbapi_exception(adapted, None, None, None, None)  # noqa: SLF001  # as its statements do
        raise


def _run_in_thread(connection: Any, begin: str, statements: Sequence[Statement]) -> list[Rows]:
    """Run statements in the thread of a connection of SQLite."""
    if not connection.in_transaction:
        connection.execute(begin)
    found: list[Rows] = []
    for statement in statements:
        if statement.rows:
            _insert_in_thread(connection, statement)
            continue
        cursor = connection.execute(statement.sql.replace("%s", "?"), statement.values)
        if cursor.description is not None:
            found.append(cursor.fetchall())
    return found


def _insert_in_thread(connection: Any, statement: Statement) -> None:
    """Insert as many rows as possible with each call.

    SQLite works without Python's lock, for which the thread then waits up to 5 ms while the event loop is
    busy: with a call for each row, that would take longer than everything else.
    """
    place, first = f"({', '.join('?' * len(statement.rows[0]))})", 0
    while rest := len(statement.rows) - first:
        number = min(ROWS_A_CALL, 1 << rest.bit_length() - 1)
        values = chain.from_iterable(statement.rows[first : first + number])
        connection.execute(statement.sql + ", ".join([place] * number), list(values))
        first += number


async def _run_texts(driver: Any, statements: Sequence[Statement]) -> list[Rows]:
    """Run statements on a server."""
    found: list[Rows] = []
    cursor = driver.cursor()
    for text in texts_of(statements, partial(_literal, driver.literal)):
        await cursor.execute(text)
        while True:
            if cursor.description is not None:
                found.append(await cursor.fetchall())
            if not await cursor.nextset():
                break
    return found


def _literal(literal: Callable[[Value], str], value: Value) -> str:
    """Return the text of a value; most are numbers or None, for which the driver's function takes longest."""
    if type(value) is int:
        return str(value)
    return "NULL" if value is None else literal(value)


def texts_of(statements: Sequence[Statement], literal: Callable[[Value], str]) -> Iterator[bytes]:
    """Join statements to texts of a size that every server accepts, unless a single row is larger."""
    parts: list[bytes] = []
    size = 0
    for statement in statements:
        for part in _parts(statement, literal):
            if parts and size + len(part) > TEXT_BYTES_MAX:
                yield b";".join(parts)
                parts, size = [], 0
            parts.append(part)
            size += len(part) + 1
    if parts:
        yield b";".join(parts)


def _parts(statement: Statement, literal: Callable[[Value], str]) -> Iterator[bytes]:
    """Return a statement with its values; an INSERT of many rows as several, if it is too large for one."""
    if not statement.rows:
        yield _encoded(statement.sql % tuple(map(literal, statement.values)))
        return
    begin, rows = _encoded(statement.sql), _row_texts(statement.rows, literal)
    whole = begin + _encoded(",".join(rows))
    if len(whole) <= TEXT_BYTES_MAX:
        yield whole
        return
    encoded = [_encoded(row) for row in rows]
    first, size = 0, len(begin)
    for number, row in enumerate(encoded):
        if number > first and size + len(row) > TEXT_BYTES_MAX:
            yield begin + b",".join(encoded[first:number])
            first, size = number, len(begin)
        size += len(row) + 1
    yield begin + b",".join(encoded[first:])


def _row_texts(rows: Sequence[Sequence[Value]], literal: Callable[[Value], str]) -> list[str]:
    """Return the text of each row: column by column, since most columns have few different values."""
    columns: list[Iterable[str]] = []
    for column in zip(*rows, strict=True):
        different = set(column)
        if len(different) * FEW_VALUES_FACTOR > len(column):
            columns.append(map(literal, column))
        else:
            text_of = {value: literal(value) for value in different}
            columns.append(map(text_of.__getitem__, column))
    return [f"({','.join(row)})" for row in zip(*columns, strict=True)]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")  # how the driver hands over the bytes of a value
