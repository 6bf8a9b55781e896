"""How many jobs of a batch may fail, and why a batch was cancelled.

The columns are nullable and added at the end, in place. Servers of earlier versions ignore the limit: they
neither keep one that is asked for nor cancel a batch that exceeds it, and they write no reason.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

oldest_program = "0003"
"""Programs of earlier versions neither read nor write the new columns."""


def _columns() -> list[sa.Column[object]]:
    return [
        sa.Column("failure_limit_jobs", sa.BigInteger()),
        sa.Column("failure_limit_percent", sa.SmallInteger()),
        sa.Column("cancel_reason", sa.SmallInteger()),
    ]


def upgrade() -> None:
    """Add the columns that do not exist: MySQL commits each, so an upgrade may continue another."""
    existing = {one["name"] for one in sa.inspect(op.get_bind()).get_columns("batches")}
    for column in _columns():
        if column.name not in existing:
            op.add_column("batches", column)


def downgrade() -> None:
    """Drop the columns."""
    for column in _columns():
        op.drop_column("batches", column.name)
