"""Server binaries, and how a data folder is made with them."""

import os
from dataclasses import dataclass
from hashlib import blake2b
from itertools import product
from pathlib import Path

from database_servers.engines import Engine
from database_servers.errors import DatabaseServerFailed

# Without name resolution a TCP connection from this machine is 127.0.0.1, never "localhost".
MYSQL_ACCOUNT_SQL = "CREATE USER root@'127.0.0.1'; GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
# In bootstrap mode a statement ends with its line. The variable decides that the
# root accounts, 127.0.0.1 among them, log in without a password or a Unix socket.
MARIADB_PREAMBLE_SQL = "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
# What mariadb-install-db feeds, in its order, without the help texts (1.5 MB) and the
# test database. The script itself cannot start a relocated server. MariaDB 10 calls the
# files mysql_….sql.
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
    """One engine's server program and the folder tree it was built for or unpacked into."""

    engine: Engine
    command: tuple[str, ...]
    prefix: Path
    path_options: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Return what changes when another program is installed at the same path."""
        program = Path(self.command[-1]).stat()
        return blake2b(f"{self}{program.st_size}{program.st_mtime_ns}".encode(), digest_size=8).hexdigest()

    def base_command(self, home: Path) -> list[str]:
        """Return the command with all files under `home` and none of the machine's settings read."""
        return [
            *self.command,
            "--no-defaults",
            *self.path_options,
            f"--datadir={home / 'data'}",
            f"--tmpdir={home}",
            # Both engines refuse to run as root unless told that it is meant.
            *(["--user=root"] if os.geteuid() == 0 else []),
        ]

    def bootstrap_command(self, home: Path) -> list[str]:
        """Return the command that fills an empty data folder; MariaDB reads `bootstrap_sql` from stdin."""
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
        """Return the SQL that makes the accounts, for MariaDB the system tables too."""
        if self.engine == "mysql":
            return MYSQL_ACCOUNT_SQL
        scripts = (path.read_text(encoding="utf-8") for path in self._mariadb_scripts())
        return MARIADB_PREAMBLE_SQL + "".join(scripts)

    def _mariadb_scripts(self) -> list[Path]:
        """Return MariaDB's SQL files; releases keep them in different folders under different names."""
        for folder, name in product(MARIADB_SCRIPT_FOLDERS, MARIADB_SCRIPT_NAMES):
            paths = [self.prefix / folder / script.format(name=name) for script in MARIADB_SCRIPTS]
            if all(path.is_file() for path in paths):
                return paths
        raise DatabaseServerFailed(
            f"MariaDB's system tables (*_system_tables.sql) are not in {self.prefix}/share."
        )
