"""Server binaries, and how a data folder is made with them."""

import os
from dataclasses import dataclass
from pathlib import Path

from database_servers.engines import Engine
from database_servers.errors import DatabaseServerUnavailable

# Without name resolution a TCP connection from this machine is 127.0.0.1, never "localhost".
MYSQL_ACCOUNT_SQL = "CREATE USER root@'127.0.0.1'; GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
# In bootstrap mode a statement ends with its line. The variable decides that the
# root accounts, 127.0.0.1 among them, log in without a password or a Unix socket.
MARIADB_PREAMBLE_SQL = "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
# What mariadb-install-db feeds, in its order, without the help texts (1.5 MB) and the
# test database. The script itself cannot start a relocated server.
MARIADB_SCRIPTS = (
    "mariadb_system_tables.sql",
    "mariadb_performance_tables.sql",
    "mariadb_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "mariadb_sys_schema.sql",
)


@dataclass(frozen=True)
class Binaries:
    """One engine's server program and the folder tree it was built for or unpacked into."""

    engine: Engine
    command: tuple[str, ...]
    prefix: Path
    path_options: tuple[str, ...] = ()

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
        share = self._mariadb_share()
        return MARIADB_PREAMBLE_SQL + "".join(
            (share / name).read_text(encoding="utf-8") for name in MARIADB_SCRIPTS
        )

    def _mariadb_share(self) -> Path:
        """Return the folder of MariaDB's SQL files; its place moved between releases."""
        for folder in ("share/mariadb", "share/mysql", "share"):
            if (self.prefix / folder / MARIADB_SCRIPTS[0]).is_file():
                return self.prefix / folder
        raise DatabaseServerUnavailable(
            f"MariaDB's {MARIADB_SCRIPTS[0]} is missing under {self.prefix}/share."
        )
