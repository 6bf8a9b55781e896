"""SQL functions that have a different syntax in each engine."""

from typing import Any

from sqlalchemy import Double
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import functions
from sqlalchemy.sql.compiler import SQLCompiler

from batches.store.column_types import UtcTime


class database_now(functions.FunctionElement[Any]):
    """The present time in UTC, to the microsecond (SQLite: to the millisecond)."""

    type = UtcTime()
    inherit_cache = True


@compiles(database_now, "mysql", "mariadb")
def _mysql_now(_element: object, _compiler: object, **_options: object) -> str:
    return "UTC_TIMESTAMP(6)"


@compiles(database_now, "sqlite")
def _sqlite_now(_element: object, _compiler: object, **_options: object) -> str:
    """Return the time as text, in the format in which SQLAlchemy stores it."""
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


class seconds_between(functions.FunctionElement[Any]):
    """The seconds from one time to another, below 0 if the second one is earlier."""

    type = Double()
    inherit_cache = True


@compiles(seconds_between, "mysql", "mariadb")
def _mysql_seconds(element: seconds_between, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(TIMESTAMPDIFF(MICROSECOND, {compiler.process(element.clauses, **kw)}) / 1000000.0)"


@compiles(seconds_between, "sqlite")
def _sqlite_seconds(element: seconds_between, compiler: SQLCompiler, **kw: Any) -> str:
    begin, end = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"((julianday({end}) - julianday({begin})) * 86400.0)"
