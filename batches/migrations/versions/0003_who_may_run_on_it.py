"""Which programs may run on a schema, kept beside it.

A program cannot know the versions after its own, and a rollout has old and new servers on one
database: what an old one may do is written where it can read it.
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
"""Those before it refuse every version that they do not know."""

OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "if_not_exists": True,
}


def version(name: str, **options: Any) -> sa.Column[str]:
    """Return a column that holds the name of a schema version."""
    ascii_bin = mysql.VARCHAR(32, charset="ascii", collation="ascii_bin")
    return sa.Column(name, sa.String(32).with_variant(ascii_bin, "mysql", "mariadb"), **options)


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "schema_programs",
        version("schema_version", primary_key=True),
        version("oldest_program", nullable=False),
        **OPTIONS,
    )


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_table("schema_programs")
