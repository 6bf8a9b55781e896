"""The types of columns, which mean the same in every database."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import sqlite as sqlite_types
from sqlalchemy.types import DateTime, TypeDecorator

IDENTIFIER_CHARACTERS_MAX = 128


def _naive(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(tzinfo=None)


# All rows of a group have the same time: formatting it once per row would be a fifth of their cost.
@lru_cache(maxsize=128)
def time_text(value: datetime) -> str:
    """Return a time as every engine reads it, and as SQLite stores it."""
    return _naive(value).isoformat(" ", "microseconds")


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC to the microsecond, stored without a time zone and read with it."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Ask MySQL for microseconds, since it stores whole seconds by default."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sqlite_types.DATETIME())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Remove the time zone."""
        if value is None:
            return None
        return _naive(value) if dialect.name == "sqlite" else time_text(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Add the time zone."""
        return None if value is None else value.replace(tzinfo=UTC)


def ascii_text(characters_max: int = IDENTIFIER_CHARACTERS_MAX) -> Any:
    """Return a type compared byte by byte: in MySQL's default collations job `a` would equal job `A`."""
    ascii_bin = mysql.VARCHAR(characters_max, charset="ascii", collation="ascii_bin")
    return String(characters_max).with_variant(ascii_bin, "mysql", "mariadb")


def unicode_text(characters_max: int) -> Any:
    """Return a type compared by code point, for texts of people."""
    binary = mysql.VARCHAR(characters_max, charset="utf8mb4", collation="utf8mb4_bin")
    return String(characters_max).with_variant(binary, "mysql", "mariadb")


def long_text() -> Any:
    """Return a type for a text of up to 64 KiB in UTF-8, stored outside of its row."""
    binary = mysql.TEXT(charset="utf8mb4", collation="utf8mb4_bin")
    return Text().with_variant(binary, "mysql", "mariadb")


def generated_key() -> Any:
    """Return the type of a generated key; SQLite generates keys only in an INTEGER column."""
    return BigInteger().with_variant(Integer, "sqlite")


def short_bytes(bytes_max: int) -> Any:
    """Return a type for bytes that are stored within the row."""
    return LargeBinary().with_variant(mysql.VARBINARY(bytes_max), "mysql", "mariadb")
