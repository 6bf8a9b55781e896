"""Webhooks: the URLs of batches, events that wait for a notifier, and deliveries.

New tables, which no older program uses, and a nullable column that is added at the end, in place. A batch
that a server before schema 0012 ends has no event.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import DDLCompiler

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

oldest_program = "0003"
"""Programs of earlier versions know neither the tables nor the column."""

OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_row_format": "DYNAMIC",
}


def identifier(name: str, characters_max: int = 128, **options: Any) -> sa.Column[str]:
    """Return a column compared byte by byte."""
    ascii_bin = mysql.VARCHAR(characters_max, charset="ascii", collation="ascii_bin")
    return sa.Column(name, sa.String(characters_max).with_variant(ascii_bin, "mysql", "mariadb"), **options)


def text(name: str, characters_max: int) -> sa.Column[str]:
    """Return a column of text."""
    binary = mysql.VARCHAR(characters_max, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Column(name, sa.String(characters_max).with_variant(binary, "mysql", "mariadb"), nullable=False)


def long_text(name: str) -> sa.Column[str]:
    """Return a column of long text."""
    binary = mysql.TEXT(charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Column(name, sa.Text().with_variant(binary, "mysql", "mariadb"), nullable=False)


def time(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    """Return a column of times in UTC, to the microsecond."""
    precise = mysql.DATETIME(fsp=6)
    return sa.Column(name, sa.DateTime().with_variant(precise, "mysql", "mariadb"), nullable=nullable)


def key(name: str) -> sa.Column[int]:
    """Return a generated primary key."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, number, primary_key=True, autoincrement=True)


NO_INDEXES: Mapping[str, Sequence[str]] = MappingProxyType({})


class Key(sa.schema.ColumnCollectionConstraint):
    """An index within CREATE TABLE, which only MySQL and MariaDB have."""

    __visit_name__ = "key"


@compiles(Key)
def _key(key: Key, compiler: DDLCompiler, **_options: object) -> str:
    quote = compiler.preparer.quote
    return f"KEY {quote(str(key.name))} ({', '.join(quote(column.name) for column in key.columns)})"


def create_table(
    name: str, *columns: sa.Column[Any], indexes: Mapping[str, Sequence[str]] = NO_INDEXES, **options: Any
) -> None:
    """Create a table with its indexes, or the indexes that an existing one lacks."""
    connection = op.get_bind()
    if not sa.inspect(connection).has_table(name):
        is_sqlite = connection.dialect.name == "sqlite"
        keys = () if is_sqlite else (Key(*of, name=index) for index, of in indexes.items())
        op.create_table(name, *columns, *keys, if_not_exists=True, **options, **OPTIONS)
    existing = {one["name"] for one in sa.inspect(connection).get_indexes(name)}
    for index, of in indexes.items():
        if index not in existing:
            op.create_index(index, name, list(of))


def upgrade() -> None:
    """Create the tables and add the column: MySQL commits each, so an upgrade may continue another."""
    create_table(
        "notify_urls",
        sa.Column("batch_key", sa.BigInteger(), primary_key=True, autoincrement=False),
        identifier("url", 2_000, nullable=False),
    )
    create_events()
    create_deliveries()
    existing = {one["name"] for one in sa.inspect(op.get_bind()).get_columns("looks")}
    if "stuck_time" not in existing:
        op.add_column("looks", time("stuck_time", nullable=True))


def create_events() -> None:
    """Create the table of events."""
    create_table(
        "events",
        key("event_key"),
        identifier("event_id", 36, nullable=False),
        sa.Column("event_type", sa.SmallInteger(), nullable=False),
        sa.Column("batch_key", sa.BigInteger(), nullable=False),
        sa.Column("batch", sa.JSON(), nullable=False),
        time("event_time"),
        text("stall_reason", 1_000),
        identifier("notify_url", 2_000),
        indexes={"events_by_batch": ("batch_key",)},
        sqlite_autoincrement=True,
    )


def create_deliveries() -> None:
    """Create the table of deliveries."""
    create_table(
        "deliveries",
        key("delivery_key"),
        identifier("delivery_id", 36, nullable=False, unique=True),
        sa.Column("batch_key", sa.BigInteger(), nullable=False),
        identifier("batch_id", nullable=False),
        sa.Column("event_type", sa.SmallInteger(), nullable=False),
        identifier("subscription", 63, nullable=False),
        identifier("host", 255, nullable=False),
        identifier("url", 2_000),
        long_text("body"),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        text("last_answer", 500),
        time("create_time"),
        time("next_attempt_time", nullable=True),
        time("end_time", nullable=True),
        indexes={
            "deliveries_by_time": ("state", "subscription", "host", "next_attempt_time"),
            "deliveries_by_batch": ("batch_key", "subscription", "delivery_key"),
            "deliveries_by_end": ("end_time",),
        },
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Drop the tables and the column."""
    for table in ("deliveries", "events", "notify_urls"):
        op.drop_table(table)
    op.drop_column("looks", "stuck_time")
