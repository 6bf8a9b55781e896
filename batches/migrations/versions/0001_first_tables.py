"""The first tables.

Each table and index is created only if it does not exist yet: MySQL commits each statement separately, so
an upgrade that was interrupted can be run again. Indexes are part of CREATE TABLE IF NOT EXISTS: a replica
that meets this statement twice goes on, and stops at a second CREATE INDEX.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import DDLCompiler

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

oldest_program = "0001"
"""The first version."""

Indexes = Mapping[str, Sequence[str]]
"""The columns of each index by its name."""
NO_INDEXES: Indexes = MappingProxyType({})

OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_row_format": "DYNAMIC",
    "if_not_exists": True,
}


def identifier(name: str, **options: Any) -> sa.Column[str]:
    """Return a column of identifiers, compared byte by byte."""
    ascii_bin = mysql.VARCHAR(128, charset="ascii", collation="ascii_bin")
    return sa.Column(name, sa.String(128).with_variant(ascii_bin, "mysql", "mariadb"), **options)


def text(name: str, characters_max: int, **options: Any) -> sa.Column[str]:
    """Return a column of text, compared byte by byte."""
    binary = mysql.VARCHAR(characters_max, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Column(name, sa.String(characters_max).with_variant(binary, "mysql", "mariadb"), **options)


def time(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    """Return a column of times in UTC, to the microsecond."""
    precise = mysql.DATETIME(fsp=6)
    return sa.Column(name, sa.DateTime().with_variant(precise, "mysql", "mariadb"), nullable=nullable)


def number(name: str) -> sa.Column[int]:
    """Return a column of counts."""
    return sa.Column(name, sa.BigInteger(), nullable=False)


def small(name: str) -> sa.Column[int]:
    """Return a column of enum numbers."""
    return sa.Column(name, sa.SmallInteger(), nullable=False)


def generated_key(name: str) -> sa.Column[int]:
    """Return a primary key that the database generates."""
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, primary_key=True, autoincrement=True)


def batch_key() -> sa.Column[int]:
    """Return the part of a primary key that identifies the batch."""
    return sa.Column("batch_key", sa.BigInteger(), primary_key=True, autoincrement=False)


class Key(sa.schema.ColumnCollectionConstraint):
    """An index within CREATE TABLE, which only MySQL and MariaDB have."""

    __visit_name__ = "key"


@compiles(Key)
def _key(key: Key, compiler: DDLCompiler, **_options: object) -> str:
    quote = compiler.preparer.quote
    return f"KEY {quote(str(key.name))} ({', '.join(quote(column.name) for column in key.columns)})"


def create_table(name: str, *columns: sa.Column[Any], indexes: Indexes = NO_INDEXES, **options: Any) -> None:
    """Create a table with its indexes, or the indexes that an existing one lacks.

    MySQL warns of a table that exists already, as that of the leases does, so it is asked first.
    """
    connection = op.get_bind()
    if not sa.inspect(connection).has_table(name):
        is_sqlite = connection.dialect.name == "sqlite"
        keys = () if is_sqlite else (Key(*of, name=key) for key, of in indexes.items())
        op.create_table(name, *columns, *keys, **options, **OPTIONS)
    existing = {one["name"] for one in sa.inspect(connection).get_indexes(name)}
    for key, of in indexes.items():
        if key not in existing:
            op.create_index(key, name, list(of))


def upgrade() -> None:
    """Upgrade the schema."""
    create_batches()
    create_results()
    create_repairs()
    create_housekeeping()


def create_batches() -> None:
    """Create the tables of batches."""
    create_table(
        "batches",
        generated_key("batch_key"),
        identifier("batch_id", nullable=False, unique=True),
        text("display_name", 200, nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        number("created_total_jobs"),
        sa.Column("created_sealed", sa.Boolean(), nullable=False),
        small("state"),
        sa.Column("sealed", sa.Boolean(), nullable=False),
        number("announced_jobs"),
        number("succeeded_jobs"),
        number("failed_jobs"),
        number("skipped_jobs"),
        number("unattributed_succeeded_jobs"),
        number("unattributed_failed_jobs"),
        number("unattributed_skipped_jobs"),
        number("reconciled_jobs"),
        number("revision"),
        sa.Column("results_per_second", sa.Double(), nullable=False),
        time("create_time"),
        time("first_result_time", nullable=True),
        time("last_result_time", nullable=True),
        time("complete_time", nullable=True),
        indexes={
            "batches_by_state": ("state", "batch_key"),
            "batches_by_complete_time": ("complete_time",),
            # Of schema 0014, which creates it in older databases.
            "batches_by_last_result": ("state", "last_result_time"),
        },
        sqlite_autoincrement=True,
    )
    create_table(
        "batch_labels",
        text("label_key", 63, primary_key=True),
        text("label_value", 200, primary_key=True),
        batch_key(),
        indexes={"batch_labels_by_batch": ("batch_key",)},
    )


def create_results() -> None:
    """Create the tables of jobs."""
    create_table(
        "job_results",
        batch_key(),
        identifier("job_id", primary_key=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        small("outcome"),
        small("source"),
        text("error_type", 200),
        text("error_message", 2_000),
        time("record_time"),
        indexes={"job_results_by_outcome": ("batch_key", "outcome", "job_id")},
    )
    create_table(
        "job_additions",
        batch_key(),
        identifier("request_id", primary_key=True),
        number("additional_jobs"),
    )


def create_repairs() -> None:
    """Create the table of repairs."""
    create_table(
        "repairs",
        generated_key("repair_key"),
        number("batch_key"),
        small("state_before"),
        number("total_jobs_before"),
        number("succeeded_jobs_before"),
        number("failed_jobs_before"),
        number("skipped_jobs_before"),
        small("state_after"),
        number("total_jobs_after"),
        number("succeeded_jobs_after"),
        number("failed_jobs_after"),
        number("skipped_jobs_after"),
        text("reason", 500, nullable=False),
        time("repair_time"),
        indexes={"repairs_by_batch": ("batch_key", "repair_key")},
    )


def create_housekeeping() -> None:
    """Create the internal tables of the reconciler."""
    create_table(
        "leases",
        identifier("name", primary_key=True),
        identifier("holder", nullable=False),
        time("expire_time"),
    )
    create_table("deleted_batches", batch_key())


def downgrade() -> None:
    """Drop all tables."""
    for table in (
        "deleted_batches",
        "leases",
        "repairs",
        "job_additions",
        "job_results",
        "batch_labels",
        "batches",
    ):
        op.drop_table(table)
