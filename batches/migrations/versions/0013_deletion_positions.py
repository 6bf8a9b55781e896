"""How far the deletion of a large purged batch has come.

Nullable columns that are added at the end, in place. Programs before schema 0013 neither read nor write them:
they delete from the beginning, and a row that they insert has NULL.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

oldest_program = "0003"
"""Programs of earlier versions do not know the columns."""

TABLE = "deleted_batches"


def identifier(name: str, characters_max: int) -> sa.Column[str]:
    """Return a nullable column compared byte by byte."""
    ascii_bin = mysql.VARCHAR(characters_max, charset="ascii", collation="ascii_bin")
    return sa.Column(name, sa.String(characters_max).with_variant(ascii_bin, "mysql", "mariadb"))


def upgrade() -> None:
    """Add the columns that are missing: MySQL commits each, so an upgrade may continue another."""
    existing = {one["name"] for one in sa.inspect(op.get_bind()).get_columns(TABLE)}
    for column in (identifier("rows_of", 32), identifier("rows_after", 128)):
        if column.name not in existing:
            op.add_column(TABLE, column)


def downgrade() -> None:
    """Drop the columns."""
    for name in ("rows_after", "rows_of"):
        op.drop_column(TABLE, name)
