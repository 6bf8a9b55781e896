"""What each pass of the reconciler did.

The columns are nullable and added at the end, in place. Reconcilers of earlier versions do not write them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

oldest_program = "0003"
"""Programs of earlier versions neither read nor write the new columns."""

_SENTENCE = mysql.VARCHAR(500, charset="utf8mb4", collation="utf8mb4_bin")


def _columns() -> list[sa.Column[object]]:
    return [
        sa.Column("manual", sa.Boolean()),
        sa.Column("one_batch", sa.Boolean()),
        sa.Column("batches_looked_at", sa.BigInteger()),
        sa.Column("batches_repaired", sa.BigInteger()),
        sa.Column("batches_left", sa.JSON()),
        sa.Column("errors", sa.BigInteger()),
        sa.Column("cut_short", sa.String(500).with_variant(_SENTENCE, "mysql", "mariadb")),
        sa.Column("clock_jump_seconds", sa.Double()),
        sa.Column("clock_jump_time", sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")),
    ]


def upgrade() -> None:
    """Add the columns that do not exist: MySQL commits each, so an upgrade may continue another."""
    existing = {one["name"] for one in sa.inspect(op.get_bind()).get_columns("passes")}
    for column in _columns():
        if column.name not in existing:
            op.add_column("passes", column)


def downgrade() -> None:
    """Drop the columns."""
    for column in _columns():
        op.drop_column("passes", column.name)
