"""The failures of each batch as counts, and the counts of what was there.

A new table only, which no older program uses. Servers of 0003 to 0007 record failures without counting them,
so the counts of a batch may differ from its rows: then its groups are read from the rows, and `python -m
batches check --repair` counts them again. A reconciler of these versions that deletes a batch leaves its
counts behind: at most 1,001 rows, which nothing reads.

No server counts before this migration has ended, so it needs no locks. It reads batch by batch, the newest
first, and commits some batches at a time. After COUNTING_SECONDS_MAX it stops: the groups of the other
batches are read from their rows, as before.
"""

import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

oldest_program = "0003"
"""Programs of earlier versions do not know the table."""

COUNTING_SECONDS_MAX = 600
"""Ten minutes: some fifty million failures on a small server."""
PORTION_BATCHES = 100
"""Batches whose counts are committed together."""
OWN_GROUPS_MAX = 1_000
FAILED = 2

OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_row_format": "DYNAMIC",
    "if_not_exists": True,
}

_COUNTED_BATCHES = sa.text(
    "SELECT batch_key FROM batches WHERE failed_jobs > unattributed_failed_jobs AND batch_key < :below"
    " ORDER BY batch_key DESC LIMIT :portion"
)
_LARGEST_GROUPS = sa.text(
    "SELECT grouped.error_kind, grouped.failed_jobs, grouped.first_job_id, job_results.error_type,"
    " job_results.error_message FROM ("
    "  SELECT error_kind, COUNT(*) AS failed_jobs, MIN(job_id) AS first_job_id FROM job_results"
    "  WHERE batch_key = :batch_key AND outcome = :failed AND error_kind IS NOT NULL"
    "  GROUP BY error_kind ORDER BY failed_jobs DESC LIMIT :own_groups_max"
    ") grouped JOIN job_results"
    " ON job_results.batch_key = :batch_key AND job_results.job_id = grouped.first_job_id"
)
_ALL_FAILURES = sa.text("SELECT COUNT(*) FROM job_results WHERE batch_key = :batch_key AND outcome = :failed")
_DELETE = sa.text("DELETE FROM failure_groups WHERE batch_key = :batch_key")
_INSERT = sa.text(
    "INSERT INTO failure_groups (batch_key, fingerprint, failed_jobs, own_groups, sample_job_id, error_type,"
    " sample_error_message) VALUES (:batch_key, :fingerprint, :failed_jobs, :own_groups, :sample_job_id,"
    " :error_type, :sample_error_message)"
)


def identifier(name: str, characters_max: int, **options: Any) -> sa.Column[str]:
    """Return a column compared byte by byte."""
    ascii_bin = mysql.VARCHAR(characters_max, charset="ascii", collation="ascii_bin")
    return sa.Column(name, sa.String(characters_max).with_variant(ascii_bin, "mysql", "mariadb"), **options)


def text(name: str, characters_max: int) -> sa.Column[str]:
    """Return a column of text."""
    binary = mysql.VARCHAR(characters_max, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Column(name, sa.String(characters_max).with_variant(binary, "mysql", "mariadb"), nullable=False)


def upgrade() -> None:
    """Create the table and count the failures of the batches that exist."""
    op.create_table(
        "failure_groups",
        sa.Column("batch_key", sa.BigInteger(), primary_key=True, autoincrement=False),
        identifier("fingerprint", 16, primary_key=True),
        sa.Column("failed_jobs", sa.BigInteger(), nullable=False),
        sa.Column("own_groups", sa.Integer(), nullable=False),
        identifier("sample_job_id", 128, nullable=False),
        text("error_type", 200),
        text("sample_error_message", 2_000),
        **OPTIONS,
    )
    count_failures(op.get_bind())


def count_failures(connection: sa.Connection) -> None:
    """Count the failures of each batch, the newest first, until the time is over."""
    deadline = time.monotonic() + COUNTING_SECONDS_MAX
    below = 2**63 - 1
    while keys := _next_batches(connection, below):
        for key in keys:
            if time.monotonic() > deadline:
                return
            _count(connection, key)
        if connection.dialect.name != "sqlite":
            connection.exec_driver_sql("COMMIT")  # as MySQL does after it has created the table
        below = keys[-1]


def _next_batches(connection: sa.Connection, below: int) -> Sequence[int]:
    values = {"below": below, "portion": PORTION_BATCHES}
    return connection.scalars(_COUNTED_BATCHES, values).all()


def _count(connection: sa.Connection, batch_key: int) -> None:
    sought = {"batch_key": batch_key, "failed": FAILED}
    largest = connection.execute(_LARGEST_GROUPS, {**sought, "own_groups_max": OWN_GROUPS_MAX}).all()
    failures = connection.scalar(_ALL_FAILURES, sought) or 0
    others = failures - sum(failed_jobs for _, failed_jobs, *_ in largest)
    rows = [
        _row(batch_key, f"{kind & 2**64 - 1:016x}", failed_jobs, 0, first_job_id, error_type, message)
        for kind, failed_jobs, first_job_id, error_type, message in largest
    ]
    rows.append(_row(batch_key, "", others, len(largest), "", "", ""))
    connection.execute(_DELETE, {"batch_key": batch_key})  # an upgrade may continue another
    connection.execute(_INSERT, rows)


def _row(batch_key: int, fingerprint: str, failed_jobs: int, own_groups: int, *sample: str) -> dict[str, Any]:
    sample_job_id, error_type, sample_error_message = (one or "" for one in sample)
    return {
        "batch_key": batch_key,
        "fingerprint": fingerprint,
        "failed_jobs": failed_jobs,
        "own_groups": own_groups,
        "sample_job_id": sample_job_id,
        "error_type": error_type,
        "sample_error_message": sample_error_message,
    }


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("failure_groups")
