"""The names of jobs, and the requests that created batches.

Both columns are nullable and added at the end: MySQL, MariaDB and SQLite do that without rewriting rows.
Servers of earlier versions write rows without them, and an update of theirs keeps the name of a job.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

oldest_program = "0003"
"""Programs of 0003 and 0004 neither read nor write the new columns."""


def upgrade() -> None:
    """Add the columns that do not exist."""
    ascii_bin = mysql.VARCHAR(128, charset="ascii", collation="ascii_bin")
    binary = mysql.VARCHAR(200, charset="utf8mb4", collation="utf8mb4_bin")
    add("batches", sa.Column("request_id", sa.String(128).with_variant(ascii_bin, "mysql", "mariadb")))
    add("job_results", sa.Column("display_name", sa.String(200).with_variant(binary, "mysql", "mariadb")))


def add(table: str, column: sa.Column[Any]) -> None:
    """Add a column if it does not exist: MySQL commits each of them, so an upgrade may continue another."""
    existing = {one["name"] for one in sa.inspect(op.get_bind()).get_columns(table)}
    if column.name not in existing:
        op.add_column(table, column)


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("job_results", "display_name")
    op.drop_column("batches", "request_id")
