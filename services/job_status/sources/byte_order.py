"""Comparing ids byte for byte, whatever the column's collation: `a` and `A` are two jobs.

A plain comparison follows the collation, by default one that knows no case, and is the only
one an index serves. So equality asks both ways: the index finds the few, the bytes decide.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, String, and_, cast, collate, func, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Key = Callable[[ColumnElement[Any]], ColumnElement[Any]]
"""Turns an id, a column or a value, into what sorts and compares by its bytes."""


def same_bytes(column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    """Return the condition that a column holds exactly this id."""
    return and_(column == value, as_bytes(column) == as_bytes(literal(value, String())))


class _Bytes(FunctionElement[bytes]):
    """The bytes of a text, which the databases spell differently."""

    type = LargeBinary()
    inherit_cache = True


@compiles(_Bytes)
def _cast(element: _Bytes, compiler: SQLCompiler, **options: Any) -> str:
    (text,) = element.clauses
    return compiler.process(cast(text, LargeBinary()), **options)


@compiles(_Bytes, "postgresql")
def _convert(element: _Bytes, compiler: SQLCompiler, **options: Any) -> str:
    # A cast would read a backslash as the beginning of an escape.
    (text,) = element.clauses
    return compiler.process(func.convert_to(text, "UTF8"), **options)


def as_bytes(expression: ColumnElement[Any]) -> ColumnElement[bytes]:
    """Return an id as bytes. No index serves it."""
    return _Bytes(expression)


def as_is(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return an id as it is, for a column whose collation goes by bytes."""
    return expression


def by_sqlite_bytes(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return an id under SQLite's own byte order, which the index of an ordinary column has."""
    return collate(expression, "BINARY")


def by_postgresql_bytes(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return an id under PostgreSQL's byte order, which the index of a column with COLLATE "C" has."""
    return collate(expression, "C")


def collation_of(column: ColumnElement[Any]) -> ColumnElement[str]:
    """Return the name of a column's collation, in MySQL and MariaDB."""
    return func.collation(column, type_=String())


def goes_by_bytes(collation: str) -> bool:
    """Tell whether MySQL's collation compares bytes: `ascii_bin`, `utf8mb4_bin`, `binary`."""
    return collation == "binary" or collation.endswith("_bin")
