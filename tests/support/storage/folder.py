"""SQLite databases: files in a folder, copied from one that was migrated once."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.support.storage.engines import EngineName
from tests.support.storage.maker import Databases, upgrade


class SqliteDatabases(Databases):
    """A migration takes 60 ms, a copy of its result one."""

    engine: EngineName = "sqlite"

    def __init__(self) -> None:
        """Make the folder and the database that is copied."""
        self._folder = Path(tempfile.mkdtemp(prefix="batchprogress-sqlite-"))
        self._numbers = count(1)
        self._template = self._folder / "template.db"
        asyncio.run(upgrade(_url(self._template)))

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """Give a copy."""
        with self._file() as path:
            shutil.copyfile(self._template, path)
            yield _url(path)

    @contextmanager
    def without_tables(self) -> Iterator[str]:
        """Give the name of a file that does not exist yet."""
        with self._file() as path:
            yield _url(path)

    def close(self) -> None:
        """Remove the folder; only the template may be in it."""
        left = sorted(path.name for path in self._folder.iterdir() if path != self._template)
        shutil.rmtree(self._folder)
        assert left == []

    @contextmanager
    def _file(self) -> Iterator[Path]:
        """Remove it with its write-ahead log, which stays if a process was killed."""
        path = self._folder / f"{next(self._numbers)}.db"
        try:
            yield path
        finally:
            for leftover in self._folder.glob(f"{path.name}*"):
                leftover.unlink()


def _url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"
