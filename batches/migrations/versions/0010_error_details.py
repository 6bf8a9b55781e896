"""More about the first failures of each group, such as stack traces.

A new table only, which no older program uses. A server of an earlier version that replaces a failure leaves
its row here, which is not read any more, and `python -m batches check --repair` removes it. A reconciler of
an earlier version that deletes a batch leaves the rows of the batch behind, so upgrade it with the servers.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

oldest_program = "0003"
"""Programs of earlier versions do not know the table."""

OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_row_format": "DYNAMIC",
    "if_not_exists": True,
}


def upgrade() -> None:
    """Create the table."""
    identifier = mysql.VARCHAR(128, charset="ascii", collation="ascii_bin")
    text = mysql.TEXT(charset="utf8mb4", collation="utf8mb4_bin")
    op.create_table(
        "error_details",
        sa.Column("batch_key", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("job_id", sa.String(128).with_variant(identifier, "mysql", "mariadb"), primary_key=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("details", sa.Text().with_variant(text, "mysql", "mariadb"), nullable=False),
        **OPTIONS,
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("error_details")
