"""The next version: a copy of the application with one more migration."""

import asyncio
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from batches.migrations import migrate
from tests.support.progress import ROOT

APPLICATION = ("batches", "process", "reconciler", "rpc", "services")
UPGRADE_SECONDS_MAX = 60
"""Far above the time of Python's imports and one statement."""
MIGRATION = '''\
"""Add a column that this version does not know."""

import sqlalchemy as sa
from alembic import op

revision = "{version}"
down_revision = "{before}"
branch_labels = None
depends_on = None

oldest_program = "{oldest_program}"


def upgrade() -> None:
    """Upgrade the schema."""
    op.add_column("batches", sa.Column("colour", sa.String(7)))


def downgrade() -> None:
    """Downgrade the schema."""
    op.drop_column("batches", "colour")
'''


@dataclass(frozen=True, slots=True)
class NextVersion:
    """A checkout of the next version."""

    checkout: Path
    version: str

    async def upgrade(self, database_url: str) -> str:
        """Run its migrations as the migration Job does; return the output."""
        return await run_upgrade(self.checkout, database_url)


def make_next_version(folder: Path, *, is_additive: bool) -> NextVersion:
    """Copy the application and add a migration; programs of this version run on it only if it is additive."""
    for package in APPLICATION:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    before = migrate.head_version()
    version = f"{int(before) + 1:04}"
    text = MIGRATION.format(version=version, before=before, oldest_program=before if is_additive else version)
    (folder / f"batches/migrations/versions/{version}_colour.py").write_text(text, encoding="utf-8")
    return NextVersion(folder, version)


async def run_upgrade(checkout: Path, database_url: str) -> str:
    """Run `python -m batches upgrade` in a checkout; return the output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "batches",
        "upgrade",
        cwd=checkout,
        env={**os.environ, "BATCHES_DATABASE_URL": database_url},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(UPGRADE_SECONDS_MAX):
        said, _ = await process.communicate()
    assert process.returncode == 0, said
    return said.decode()
