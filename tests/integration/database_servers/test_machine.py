"""A database server that the machine already has is used only if it works."""

import os
from pathlib import Path

import pytest

from database_servers import DatabaseServerUnavailable, describe
from database_servers.binaries import MARIADB_SCRIPTS

PROGRAM = """\
#!/bin/sh
case "$*" in
    *--version*) echo "mariadbd  Ver 11.4.2-MariaDB for Linux"; exit ;;
    *--bootstrap*) {initialise} ;;
esac
echo "[ERROR] Plugin 'InnoDB' registration failed"; exit 1
"""


@pytest.mark.parametrize(
    ("initialise", "reason"),
    [
        (
            "echo 'no space left'; exit 1",
            "did not initialise its data folder. The end of its log: no space left",
        ),
        ("exit 0", "ended while starting. The end of its log: [ERROR] Plugin 'InnoDB' registration failed"),
    ],
    ids=["not initialised", "no answer"],
)
def test_an_installed_server_that_does_not_work_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, initialise: str, reason: str
) -> None:
    """The next way to a server is taken, and one line says why the installed one is not used."""
    program = installed(tmp_path, PROGRAM.format(initialise=initialise))
    add_system_tables(tmp_path)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    assert described().endswith(f"; passed over {program}: MariaDB {reason}")


def test_an_installed_server_without_system_tables_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files that make the system tables have other names in some releases."""
    program = installed(tmp_path, PROGRAM.format(initialise="exit 0"))
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    assert f"; passed over {program}: MariaDB's system tables" in described()


def described() -> str:
    """Return what is said of MariaDB on this machine, which may have no other way to it."""
    try:
        return describe("mariadb", own=True)
    except DatabaseServerUnavailable as error:
        return str(error)


def installed(prefix: Path, script: str) -> Path:
    """Install a script as MariaDB's server program."""
    program = prefix / "sbin" / "mariadbd"
    program.parent.mkdir()
    program.write_text(script)
    program.chmod(0o755)
    return program


def add_system_tables(prefix: Path) -> None:
    """Add the SQL files that come with a server, empty."""
    folder = prefix / "share" / "mariadb"
    folder.mkdir(parents=True)
    for name in MARIADB_SCRIPTS:
        (folder / name.format(name="mariadb")).touch()
