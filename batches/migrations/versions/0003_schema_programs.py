"""Which programs can run on a schema version, stored in the database.

During a rollout old and new servers share one database, and an old program cannot know the schema versions
after its own. So the database says which of them it can run on.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

oldest_program = "0003"
"""Earlier programs refuse every version that they do not know."""

OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_row_format": "DYNAMIC",
    "if_not_exists": True,
}


def version(name: str, **options: Any) -> sa.Column[str]:
    """Return a column of schema versions."""
    ascii_bin = mysql.VARCHAR(32, charset="ascii", collation="ascii_bin")
    return sa.Column(name, sa.String(32).with_variant(ascii_bin, "mysql", "mariadb"), **options)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "schema_programs",
        version("schema_version", primary_key=True),
        version("oldest_program", nullable=False),
        **OPTIONS,
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("schema_programs")
