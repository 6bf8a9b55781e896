"""Compares and sorts ids byte for byte, whatever the collation of their column: `a` and `A` are two jobs.

A plain comparison follows the column's collation, which by default ignores case, but it is the only one
that can use an index. Equality therefore combines two conditions: the index finds the few candidates, and
their bytes decide.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, String, and_, cast, collate, func, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

SortKey = Callable[[ColumnElement[Any]], ColumnElement[Any]]
"""Turns an id, a column or a literal, into an expression that compares by bytes."""


def bytes_equal(column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    """Return the condition that a column holds exactly this id. Can use the column's index."""
    return and_(column == value, to_bytes(column) == to_bytes(literal(value, String())))


class _Bytes(FunctionElement[bytes]):
    """The bytes of a text; the SQL depends on the dialect."""

    type = LargeBinary()
    inherit_cache = True


@compiles(_Bytes)
def _cast(element: _Bytes, compiler: SQLCompiler, **options: Any) -> str:
    (text,) = element.clauses
    return compiler.process(cast(text, LargeBinary()), **options)


@compiles(_Bytes, "postgresql")
def _convert(element: _Bytes, compiler: SQLCompiler, **options: Any) -> str:
    # A cast would interpret a backslash as an escape.
    (text,) = element.clauses
    return compiler.process(func.convert_to(text, "UTF8"), **options)


def to_bytes(expression: ColumnElement[Any]) -> ColumnElement[bytes]:
    """Return an id as bytes. Cannot use an index."""
    return _Bytes(expression)


def unchanged(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return an id as it is, for a column whose collation already compares bytes."""
    return expression


def sqlite_binary(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return an id with SQLite's collation BINARY, the default of columns and their indexes."""
    return collate(expression, "BINARY")


def postgresql_c(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return an id with PostgreSQL's collation "C"; uses the index of a column declared with it."""
    return collate(expression, "C")


def collation_of(column: ColumnElement[Any]) -> ColumnElement[str]:
    """Return an expression for the name of a column's collation in MySQL and MariaDB."""
    return func.collation(column, type_=String())


def is_binary(collation: str) -> bool:
    """Return whether a collation of MySQL compares bytes: `ascii_bin`, `utf8mb4_bin`, `binary`."""
    return collation == "binary" or collation.endswith("_bin")
