"""The SQLite file that a server creates."""

import asyncio
import os
import stat
import sys
from pathlib import Path

from sqlalchemy import text

from batches.store.database import Database

WRITE_AND_CLOSE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("CREATE TABLE there (x)")
connection.close()
"""


def files(folder: Path) -> list[Path]:
    """Return the files in a folder."""
    return list(folder.iterdir())


async def test_only_its_user_can_read_a_new_database(tmp_path: Path) -> None:
    """This includes the write-ahead log, which holds the newest results."""
    before = os.umask(0o022)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/batches.db", connections_max=1)
    try:
        await database.ping()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files(tmp_path)}
    finally:
        await database.close()
        os.umask(before)
    assert modes["batches.db"] == 0o600
    assert set(modes.values()) == {0o600}


async def test_a_further_connection_releases_no_lock(tmp_path: Path) -> None:
    """Without its lock, another process that ends would delete the write-ahead log, and results with it."""
    url = f"sqlite+aiosqlite:///{tmp_path}/batches.db"
    first, second = Database(url, connections_max=1), Database(url, connections_max=1)
    await first.write(lambda connection: connection.execute(text("CREATE TABLE here (x)")))
    await second.ping()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITE_AND_CLOSE, str(tmp_path / "batches.db")
    )
    assert await process.wait() == 0
    assert "batches.db-wal" in {file.name for file in files(tmp_path)}
    await first.close()
    await second.close()


async def test_the_mode_of_an_existing_database_stays(tmp_path: Path) -> None:
    """Its user may have opened it to a group."""
    file = tmp_path / "batches.db"
    file.touch(mode=0o640)
    file.chmod(0o640)
    database = Database(f"sqlite+aiosqlite:///{file}", connections_max=1)
    await database.ping()
    await database.close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
