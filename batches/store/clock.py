"""The database's clock: the one clock that all servers and the reconciler share."""

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import functions

from batches.store.schema import UtcTime


class database_now(functions.FunctionElement[Any]):  # noqa: N801  # reads as the SQL function it is
    """The present moment in UTC, to the microsecond (SQLite: to the millisecond)."""

    type = UtcTime()
    inherit_cache = True


@compiles(database_now, "mysql", "mariadb")
def _mysql_now(element: object, compiler: object, **kw: object) -> str:  # noqa: ARG001
    return "UTC_TIMESTAMP(6)"


@compiles(database_now, "sqlite")
def _sqlite_now(element: object, compiler: object, **kw: object) -> str:  # noqa: ARG001
    """As text in the format that SQLAlchemy stores and compares."""
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
