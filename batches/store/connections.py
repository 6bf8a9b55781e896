"""Connections of SQLAlchemy Core for asyncio, with the methods of those in sqlalchemy.ext.asyncio.

That package does the same, and imports SQLAlchemy's object-relational mapper, too. Nothing here uses it, and
it took a seventh of the CPU of each start. As there, SQLAlchemy runs in a greenlet, which hands what the
driver awaits over to the event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Concatenate, Never, ParamSpec, TypeVar, TypeVarTuple, overload

from sqlalchemy import URL, Connection, CursorResult, Dialect, Engine, Executable, ScalarResult, create_engine
from sqlalchemy.sql.selectable import TypedReturnsRows
from sqlalchemy.util import greenlet_spawn

Value = TypeVar("Value")
Columns = TypeVarTuple("Columns")
Arguments = ParamSpec("Arguments")

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class AsyncConnection:
    """A connection. A statement begins a transaction if none has begun.

    Args:
        sync_connection: Used only in a greenlet.

    """

    __slots__ = ("sync_connection",)

    def __init__(self, sync_connection: Connection) -> None:
        self.sync_connection = sync_connection

    @property
    def dialect(self) -> Dialect:
        """The dialect of the database."""
        return self.sync_connection.dialect

    @overload
    async def execute(
        self, statement: TypedReturnsRows[*Columns], parameters: Parameters = None
    ) -> CursorResult[*Columns]: ...
    @overload
    async def execute(
        self, statement: Executable, parameters: Parameters = None
    ) -> CursorResult[*tuple[Any, ...]]: ...
    async def execute(self, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        """Run a statement and fetch all its rows."""
        return await greenlet_spawn(self.sync_connection.execute, statement, parameters)

    @overload
    async def scalar(self, statement: TypedReturnsRows[Never], parameters: Parameters = None) -> Any: ...
    @overload
    async def scalar(
        self, statement: TypedReturnsRows[Value], parameters: Parameters = None
    ) -> Value | None: ...
    @overload
    async def scalar(self, statement: Executable, parameters: Parameters = None) -> Any: ...
    async def scalar(self, statement: Executable, parameters: Parameters = None) -> Any:
        """Run a statement and return the first column of its first row; None without a row."""
        return (await self.execute(statement, parameters)).scalar()

    @overload
    async def scalars(
        self, statement: TypedReturnsRows[Value], parameters: Parameters = None
    ) -> ScalarResult[Value]: ...
    @overload
    async def scalars(self, statement: Executable, parameters: Parameters = None) -> ScalarResult[Any]: ...
    async def scalars(self, statement: Executable, parameters: Parameters = None) -> ScalarResult[Any]:
        """Run a statement and return the first column of its rows."""
        return (await self.execute(statement, parameters)).scalars()

    async def exec_driver_sql(
        self, text: str, parameters: tuple[Any, ...] | None = None
    ) -> CursorResult[Any]:
        """Run SQL in the syntax of the driver."""
        return await greenlet_spawn(self.sync_connection.exec_driver_sql, text, parameters)

    async def run_sync(
        self,
        function: Callable[Concatenate[Connection, Arguments], Value],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Value:
        """Call a function that uses the connection without `await`."""
        return await greenlet_spawn(partial(function, self.sync_connection, *args, **kwargs))

    async def execution_options(self, **options: Any) -> None:
        """Set options that hold until the connection is closed."""
        await greenlet_spawn(self.sync_connection.execution_options, **options)

    def in_transaction(self) -> bool:
        """Return whether a statement has begun a transaction."""
        return self.sync_connection.in_transaction()

    async def commit(self) -> None:
        """Commit the transaction, if one has begun."""
        await greenlet_spawn(self.sync_connection.commit)

    async def rollback(self) -> None:
        """Roll back the transaction, if one has begun."""
        await greenlet_spawn(self.sync_connection.rollback)

    async def invalidate(self) -> None:
        """Close the connection to the database instead of returning it to the pool."""
        await greenlet_spawn(self.sync_connection.invalidate)

    async def close(self) -> None:
        """Roll back the transaction, if one has begun, and return the connection to the pool."""
        await greenlet_spawn(self.sync_connection.close)

    async def close_surely(self) -> None:
        """Close the connection even if this task is cancelled meanwhile."""
        closing = asyncio.create_task(self.close())
        cancelled = None
        while not closing.done():
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled


class AsyncEngine:
    """A pool of connections.

    Args:
        sync_engine: Of a driver for asyncio; it is the target of events, too.

    """

    def __init__(self, sync_engine: Engine) -> None:
        self.sync_engine = sync_engine

    @property
    def dialect(self) -> Dialect:
        """The dialect of the database."""
        return self.sync_engine.dialect

    async def open(self) -> AsyncConnection:
        """Return a connection, which the caller closes."""
        return AsyncConnection(await greenlet_spawn(self.sync_engine.connect))

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for the block; its transaction is rolled back unless the block commits."""
        connection = await self.open()
        try:
            yield connection
        finally:
            await connection.close_surely()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection with a transaction for the block, and commit at its end."""
        async with self.connect() as connection:
            await connection.run_sync(Connection.begin)
            yield connection
            await connection.commit()

    async def dispose(self) -> None:
        """Close all connections that are in the pool."""
        await greenlet_spawn(self.sync_engine.dispose)


def create_async_engine(url: URL, **options: Any) -> AsyncEngine:
    """Return an engine for a driver for asyncio, with the options of SQLAlchemy's create_engine()."""
    return AsyncEngine(create_engine(url, **options))
