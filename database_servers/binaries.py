"""The programs of a server, and how they initialise a data folder."""

import os
from dataclasses import dataclass
from hashlib import blake2b
from itertools import product
from pathlib import Path

from database_servers.engines import Engine
from database_servers.errors import DatabaseServerFailed

# Without name resolution, a TCP connection from this machine is 127.0.0.1 and not "localhost".
MYSQL_ACCOUNT_SQL = "CREATE USER root@'127.0.0.1'; GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
# In bootstrap mode, each statement is one line. The variable lets root accounts, that of
# 127.0.0.1 included, log in without a password and without a Unix socket.
MARIADB_PREAMBLE_SQL = "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
# The input of mariadb-install-db, in the same order, without the help texts (1.5 MB) and the
# test database; that script cannot start a relocated server. In MariaDB 10, the names of the
# files begin with mysql.
MARIADB_SCRIPTS = (
    "{name}_system_tables.sql",
    "{name}_performance_tables.sql",
    "{name}_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "{name}_sys_schema.sql",
)
MARIADB_SCRIPT_NAMES = ("mariadb", "mysql")
MARIADB_SCRIPT_FOLDERS = ("share/mariadb", "share/mysql", "share")


@dataclass(frozen=True)
class Binaries:
    """The server program of an engine, and the folder in which it was installed or unpacked."""

    engine: Engine
    command: tuple[str, ...]
    prefix: Path
    path_options: tuple[str, ...] = ()
    as_nobody: bool = False
    """Whether the command changes to the user `nobody` if the tests run as root."""

    @property
    def fingerprint(self) -> str:
        """Return a hash that changes if another program is installed at the same path."""
        program = Path(self.command[-1]).stat()
        return blake2b(f"{self}{program.st_size}{program.st_mtime_ns}".encode(), digest_size=8).hexdigest()

    def base_command(self, home: Path) -> list[str]:
        """Return the command with all files under `home` and without the settings of this machine."""
        return [
            *self.command,
            "--no-defaults",
            *self.path_options,
            f"--datadir={home / 'data'}",
            f"--tmpdir={home}",
            # Both engines run as root only if told to.
            *(["--user=root"] if os.geteuid() == 0 and not self.as_nobody else []),
        ]

    def bootstrap_command(self, home: Path) -> list[str]:
        """Return the command that initialises a data folder; MariaDB reads `bootstrap_sql` from stdin."""
        if self.engine == "mysql":
            how = [
                "--initialize-insecure",
                f"--init-file={home / 'bootstrap.sql'}",
                "--secure-file-priv=NULL",
            ]
        else:
            how = ["--bootstrap"]
        return [*self.base_command(home), *how]

    def bootstrap_sql(self) -> str:
        """Return the SQL that creates the accounts, and with MariaDB the system tables."""
        if self.engine == "mysql":
            return MYSQL_ACCOUNT_SQL
        scripts = (path.read_text(encoding="utf-8") for path in self._mariadb_scripts())
        return MARIADB_PREAMBLE_SQL + "".join(scripts)

    def _mariadb_scripts(self) -> list[Path]:
        """Return the SQL files of MariaDB; their folder and names depend on the release."""
        for folder, name in product(MARIADB_SCRIPT_FOLDERS, MARIADB_SCRIPT_NAMES):
            paths = [self.prefix / folder / script.format(name=name) for script in MARIADB_SCRIPTS]
            if all(path.is_file() for path in paths):
                return paths
        raise DatabaseServerFailed(
            f"MariaDB's system tables (*_system_tables.sql) are not in {self.prefix}/share."
        )
