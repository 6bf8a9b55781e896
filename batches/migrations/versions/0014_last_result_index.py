"""An index with which a pass finds the open batches without a recent result.

It is created in place, while older programs run: they do not need to know it. A new database has it from its
first tables on, since an index within CREATE TABLE IF NOT EXISTS fails on no replica that meets it twice.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

oldest_program = "0003"
"""Programs of earlier versions do not use the index."""

NAME, TABLE = "batches_by_last_result", "batches"


def upgrade() -> None:
    """Create the index if it is missing: an upgrade may continue another."""
    if NAME not in {one["name"] for one in sa.inspect(op.get_bind()).get_indexes(TABLE)}:
        op.create_index(NAME, TABLE, ["state", "last_result_time"])


def downgrade() -> None:
    """Drop the index."""
    op.drop_index(NAME, TABLE)
