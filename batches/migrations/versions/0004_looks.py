"""The reconciler's looks at batches that it left open, their first pending jobs, and its passes.

New tables only, which no older program uses. A reconciler of 0003 that deletes a batch beside new ones leaves
its look behind: at most 1,001 rows, which nothing reads.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

oldest_program = "0003"
"""Programs of 0003 ask the database whether they run on a newer schema, and do not know these tables."""

OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_row_format": "DYNAMIC",
    "if_not_exists": True,
}


def identifier(name: str, characters_max: int, **options: Any) -> sa.Column[str]:
    """Return a column compared byte by byte."""
    ascii_bin = mysql.VARCHAR(characters_max, charset="ascii", collation="ascii_bin")
    return sa.Column(name, sa.String(characters_max).with_variant(ascii_bin, "mysql", "mariadb"), **options)


def text(name: str, characters_max: int) -> sa.Column[str]:
    """Return a column of text."""
    binary = mysql.VARCHAR(characters_max, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Column(name, sa.String(characters_max).with_variant(binary, "mysql", "mariadb"), nullable=False)


def time(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    """Return a column of times in UTC, to the microsecond."""
    precise = mysql.DATETIME(fsp=6)
    return sa.Column(name, sa.DateTime().with_variant(precise, "mysql", "mariadb"), nullable=nullable)


def batch_key() -> sa.Column[int]:
    """Return the primary key, or the part of it, that identifies the batch."""
    return sa.Column("batch_key", sa.BigInteger(), primary_key=True, autoincrement=False)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "looks",
        batch_key(),
        time("look_time"),
        identifier("reason_kind", 32, nullable=False),
        text("reason", 500),
        sa.Column("pending_jobs", sa.BigInteger()),
        time("pending_time", nullable=True),
        time("unchanged_since", nullable=True),
        sa.Column("lists_jobs", sa.Boolean(), nullable=False),
        **OPTIONS,
    )
    op.create_table(
        "pending_jobs",
        batch_key(),
        identifier("job_id", 128, primary_key=True),
        text("display_name", 200),
        sa.Column("attempt", sa.Integer(), nullable=False),
        **OPTIONS,
    )
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "passes",
        sa.Column("pass_key", key, primary_key=True, autoincrement=True),
        time("start_time"),
        time("end_time", nullable=True),
        **OPTIONS,
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("passes", "pending_jobs", "looks"):
        op.drop_table(table)
