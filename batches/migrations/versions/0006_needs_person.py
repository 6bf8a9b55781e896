"""Whether a batch that the reconciler left open needs a person: for a metric and its alert.

The column is nullable and added at the end, in place. Reconcilers of earlier versions do not write it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

oldest_program = "0003"
"""Programs of earlier versions neither read nor write the new column."""


def upgrade() -> None:
    """Add the column if it does not exist: MySQL commits it, so an upgrade may continue another."""
    existing = {one["name"] for one in sa.inspect(op.get_bind()).get_columns("looks")}
    if "needs_person" not in existing:
        op.add_column("looks", sa.Column("needs_person", sa.Boolean()))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("looks", "needs_person")
