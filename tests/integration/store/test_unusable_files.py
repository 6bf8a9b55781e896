"""An SQLite file that cannot be used is one sentence: what is wrong with it, and what to do."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batches.errors import DatabaseUnusable
from batches.migrations import migrate
from batches.store import causes
from batches.store.causes import Cause
from batches.store.database import Database
from batches.store.rights import require_writes

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that every user of this machine may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def closed_folder(folder: Path) -> Path:
    """Return a folder in which only root may create files."""
    folder.chmod(0o555)
    return folder


@pytest.fixture
def open_folder(folder: Path) -> Path:
    """Return a folder in which everyone may create files."""
    folder.chmod(0o777)
    return folder


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Give up the rights of root, whom no mode of a file stops."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


async def refusal(file: Path, cause: Cause) -> None:
    """Check the sentence with which a program refuses a file at its start."""
    database = Database(f"sqlite+aiosqlite:///{file}", connections_max=1)
    try:
        with pytest.raises(DatabaseUnusable) as refused, ordinary_user():
            await database.read(require_writes)
    finally:
        await database.close()
    assert str(refused.value).startswith(f"cannot use SQLite file {file}: {cause.happened}; {cause.remedy} (")


async def test_a_missing_folder_is_told(folder: Path) -> None:
    await refusal(folder / "none" / "batches.db", causes.NO_FOLDER)


async def test_a_folder_instead_of_a_file_is_told(folder: Path) -> None:
    await refusal(folder, causes.NOT_A_FILE)


async def test_a_file_that_is_no_database_is_told_and_left(open_folder: Path) -> None:
    file = open_folder / "batches.db"
    file.write_text("a letter to a friend" * 100, encoding="ascii")
    file.chmod(0o666)
    await refusal(file, causes.NOT_A_DATABASE)
    assert file.read_text(encoding="ascii").startswith("a letter")


async def test_a_folder_that_is_read_only_is_told(closed_folder: Path) -> None:
    await refusal(closed_folder / "batches.db", causes.FOLDER_READ_ONLY)


@pytest.mark.parametrize("mode", [0o444, 0o000])
async def test_a_file_that_is_read_only_is_told(open_folder: Path, mode: int) -> None:
    """SQLite opens a file that it may only read, and then refuses every report."""
    file = open_folder / "batches.db"
    database = Database(f"sqlite+aiosqlite:///{file}", connections_max=1)
    await migrate.upgrade(database)
    await database.close()
    file.chmod(mode)
    await refusal(file, causes.FILE_READ_ONLY)


@pytest.mark.parametrize("name", ["SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR"])
def test_an_error_that_may_pass_has_no_cause(name: str) -> None:
    """A server waits for its end."""
    state = causes.FileState(has_folder=True, is_folder=False, may_create=True)
    assert causes.cause_of_sqlite(name, state) is None
