"""A user of a MySQL or MariaDB server whose password is changed, and the file with the URL."""

import secrets
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine


class RotatedUser:
    """An account with its URL in a file. `create` makes it.

    Args:
        root_url: the URL of the database, as a user who may change others.
        file: where the URL of the account is kept.

    """

    def __init__(self, root_url: str, file: Path) -> None:
        self._root_url = make_url(root_url)
        self._name = f"app_{secrets.token_hex(4)}"
        self._made: list[str] = []
        self.file = file
        self.password = "p0"

    @property
    def url(self) -> str:
        """The URL with the password of now."""
        url = self._root_url.set(username=self._name, password=self.password)
        return url.render_as_string(hide_password=False)

    async def create(self) -> None:
        """Create the user, with permissions on each table but not on the database, and write the file."""
        self._made.append(self._name)
        tables = await self._run("SHOW TABLES")
        await self._run(
            f"CREATE USER {self._name}@'%' IDENTIFIED BY '{self.password}'",
            *(f"GRANT ALL ON {self._root_url.database}.{row[0]} TO {self._name}@'%'" for row in tables),
        )
        self.write_file()

    def choose_password(self) -> None:
        """Choose another password, which neither the database nor the file has yet."""
        self.password = f"p{secrets.token_hex(4)}"

    async def change_in_database(self, *, keep_old: bool = False) -> None:
        """Let the database accept the chosen password, and with `keep_old` (MySQL alone) the old one, too."""
        retain = " RETAIN CURRENT PASSWORD" if keep_old else ""
        await self._run(f"ALTER USER {self._name}@'%' IDENTIFIED BY '{self.password}'{retain}")

    async def discard_old(self) -> None:
        """Let MySQL accept only the newest password."""
        await self._run(f"ALTER USER {self._name}@'%' DISCARD OLD PASSWORD")

    async def replace(self) -> None:
        """Create another user, write its URL into the file, and drop the first; its connections stay open."""
        old, self._name = self._name, f"app_{secrets.token_hex(4)}"
        await self.create()
        await self._run(f"DROP USER {old}@'%'")
        self._made.remove(old)

    def write_file(self) -> None:
        """Replace the file in one step, as the kubelet does."""
        new = self.file.with_suffix(".new")
        new.write_text(self.url, encoding="utf-8")
        new.replace(self.file)

    async def kill_connections(self) -> None:
        """Close the user's connections, as a restart of the database would."""
        for row in await self._run("SHOW PROCESSLIST"):
            if row.User == self._name:
                await self._run(f"KILL {row.Id}")

    async def drop(self) -> None:
        """Drop what was created."""
        for name in self._made:
            await self._run(f"DROP USER {name}@'%'")

    async def _run(self, *statements: str) -> list[Any]:
        engine = create_async_engine(self._root_url, poolclass=NullPool)
        rows: list[Any] = []
        async with engine.connect() as connection:
            for statement in statements:
                try:
                    result = await connection.execute(text(statement))
                except DBAPIError:
                    if statement.startswith("KILL"):  # it was closed meanwhile
                        continue
                    raise
                rows = list(result.all()) if result.returns_rows else []
        await engine.dispose()
        return rows
