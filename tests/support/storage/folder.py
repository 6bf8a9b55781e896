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
    """SQLite databases. A migration takes 60 ms, copying its result takes 1 ms."""

    engine: EngineName = "sqlite"

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="batchprogress-sqlite-"))
        self._numbers = count(1)
        self._template = self._folder / "template.db"
        asyncio.run(upgrade(_url(self._template)))

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """Return the URL of a copy."""
        with self._file() as path:
            shutil.copyfile(self._template, path)
            yield _url(path)

    @contextmanager
    def without_tables(self) -> Iterator[str]:
        """Return the URL of a file that does not exist yet."""
        with self._file() as path:
            yield _url(path)

    def close(self) -> None:
        """Remove the folder; fail if it contains anything but the template."""
        left = sorted(path.name for path in self._folder.iterdir() if path != self._template)
        shutil.rmtree(self._folder)
        assert left == []

    @contextmanager
    def _file(self) -> Iterator[Path]:
        """Return the path of a new file; remove it later, with the write-ahead log of a killed process."""
        path = self._folder / f"{next(self._numbers)}.db"
        try:
            yield path
        finally:
            for leftover in self._folder.glob(f"{path.name}*"):
                leftover.unlink()


def _url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"
