"""Errors that are alike: the number they have in common.

A column that may be NULL, added at the end: MySQL, MariaDB and SQLite do that without touching a row, and
servers of the version before go on writing rows without it. Where they write another failure over a row that
has it, it stays as it was: so failures are grouped by their type as well (batches.store.failures).
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

oldest_program = "0002"
"""Programs of 0001 would survive it, but refuse every version that they do not know."""


def upgrade() -> None:
    """Add the column if it is not there."""
    existing = {one["name"] for one in sa.inspect(op.get_bind()).get_columns("job_results")}
    if "error_kind" not in existing:
        op.add_column("job_results", sa.Column("error_kind", sa.BigInteger()))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("job_results", "error_kind")
