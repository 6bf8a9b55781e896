"""How each batch grew: its newest points in its row, the others in a table of their own.

The column is nullable and added at the end, in place; no older program uses it or the table. A batch that
servers of earlier versions created has no history until a newer server changes it, and what they change while
newer ones run is missing from it. A reconciler of these versions that deletes a batch leaves the rows of its
points: some twenty, which nothing reads.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

oldest_program = "0003"
"""Programs of earlier versions neither read nor write the column and the table."""

RECENT_BYTES_MAX = 386

OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_row_format": "DYNAMIC",
    "if_not_exists": True,
}


def upgrade() -> None:
    """Create the table, and add the column if it does not exist: MySQL commits each."""
    op.create_table(
        "batch_history",
        sa.Column("batch_key", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("first_point", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("points", sa.LargeBinary(), nullable=False),
        **OPTIONS,
    )
    existing = {one["name"] for one in sa.inspect(op.get_bind()).get_columns("batches")}
    if "recent_history" not in existing:
        binary = sa.LargeBinary().with_variant(mysql.VARBINARY(RECENT_BYTES_MAX), "mysql", "mariadb")
        op.add_column("batches", sa.Column("recent_history", binary))


def downgrade() -> None:
    """Drop the column and the table."""
    op.drop_column("batches", "recent_history")
    op.drop_table("batch_history")
