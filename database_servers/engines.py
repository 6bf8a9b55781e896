"""The differences between the two engines, in one table."""

import re
from dataclasses import dataclass
from typing import Literal

Engine = Literal["mysql", "mariadb"]
ENGINES: tuple[Engine, ...] = ("mysql", "mariadb")

# Options of every server. None changes durability: the settings of flushes and of the
# binary log keep their defaults, as in production.
SERVER_OPTIONS = (
    # Accounts are matched by address; a resolver that hangs would block every connection.
    "--skip-name-resolve",
    # Uses 240 MiB with MySQL and 140 MiB with MariaDB, and no test reads it.
    "--performance-schema=OFF",
    # Enough for a few million results; the default is 128 MiB, too much for several servers on a CI machine.
    "--innodb-buffer-pool-size=64M",
    # For several server processes with their pools, and for connections of the test (default 151).
    "--max-connections=500",
)


@dataclass(frozen=True)
class EngineTraits:
    """The names of one engine wherever servers are found."""

    label: str
    url_variable: str
    programs: tuple[str, ...]
    oldest_version: tuple[int, int]
    image: str
    image_environment: str
    package: str
    process_options: tuple[str, ...]


TRAITS: dict[Engine, EngineTraits] = {
    "mysql": EngineTraits(
        label="MySQL",
        url_variable="TEST_MYSQL_URL",
        programs=("mysqld",),
        # 5.7 is unsupported since 2023 and has neither row aliases nor --mysqlx.
        oldest_version=(8, 0),
        image="mysql:9",
        image_environment="MYSQL_ALLOW_EMPTY_PASSWORD=1",
        package="mysql-server-core",
        # The X plugin would take port 33060 from a second server, and the default
        # folder for secure files does not exist on this machine.
        process_options=("--mysqlx=OFF", "--secure-file-priv=NULL"),
    ),
    "mariadb": EngineTraits(
        label="MariaDB",
        url_variable="TEST_MARIADB_URL",
        # Distributions also install it under the name of MySQL.
        programs=("mariadbd", "mysqld"),
        # The oldest long-term release that was still maintained in 2026.
        oldest_version=(10, 6),
        image="mariadb:11",
        image_environment="MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1",
        package="mariadb-server-core",
        process_options=(),
    ),
}


def engine_of(version_text: str) -> Engine:
    """Return the engine of a version text: only MariaDB names itself in it."""
    return "mariadb" if "mariadb" in version_text.lower() else "mysql"


def version_of(version_text: str) -> str:
    """Return the version, such as "9.7.4", in a `--version` line or greeting; "" if there is none.

    MariaDB up to 10.11 greets as "5.5.5-10.11.6-MariaDB" for the sake of old replicas.
    """
    numbers: list[str] = re.findall(r"\d+\.\d+\.\d+", version_text.replace("5.5.5-", ""))
    return numbers[0] if numbers else ""


def is_recent_enough(engine: Engine, version: str) -> bool:
    """Return whether the tests should pass on this version."""
    return tuple(int(part) for part in version.split(".")[:2]) >= TRAITS[engine].oldest_version
