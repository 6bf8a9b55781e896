"""The fingerprint of an error, which groups similar failures.

The column is nullable and added at the end: MySQL, MariaDB and SQLite do that without rewriting rows, and
servers of version 0001 continue to write rows without it. If they replace a failure that has a fingerprint,
the old fingerprint stays; therefore failures are grouped by their type as well (batches.store.failures).
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

oldest_program = "0002"
"""Programs of 0001 could run on this schema, but they refuse every version that they do not know."""


def upgrade() -> None:
    """Add the column if it does not exist."""
    existing = {one["name"] for one in sa.inspect(op.get_bind()).get_columns("job_results")}
    if "error_kind" not in existing:
        op.add_column("job_results", sa.Column("error_kind", sa.BigInteger()))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("job_results", "error_kind")
