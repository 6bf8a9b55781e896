"""haproxy in front of database servers, with the file that users get: installed, or from Debian's package."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Literal

from database_servers.cache import CHECKOUT
from database_servers.debian_packages import SUITE, program_command, unpacked_packages
from database_servers.home import ServerHome
from database_servers.ports import free_port
from database_servers.server import DatabaseServer

PROGRAM = "haproxy"
CONFIGURATION = CHECKOUT / "deploy/haproxy/database.cfg"
HOST = "127.0.0.1"
START_SECONDS_MAX = 30.0
"""It takes 50 ms."""
ANSWER_SECONDS_MAX = 5.0
UP = 'haproxy_server_status{proxy="database",server="node%d",state="UP"} 1'
"""The metric of a node to which connections go."""


@dataclass(frozen=True, slots=True)
class DatabaseProxy:
    """A running haproxy."""

    port: int
    """Where programs connect."""
    nodes: Sequence[DatabaseServer]
    _metrics_port: int
    _home: ServerHome

    def writers(self) -> list[DatabaseServer]:
        """Return the nodes that haproxy holds for writers; right after its start these are all nodes."""
        metrics = self.get("/metrics")
        return [node for number, node in enumerate(self.nodes, 1) if UP % number in metrics]

    def log(self) -> str:
        """Return the end of its log, with the reason of each change of a node."""
        return self._home.log_end()

    def get(self, path: str) -> str:
        """Return what its port for metrics answers.

        Raises:
            OSError: it does not answer.

        """
        connection = HTTPConnection(HOST, self._metrics_port, timeout=ANSWER_SECONDS_MAX)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def answers(self) -> bool:
        """Return whether its port for metrics answers."""
        try:
            self.get("/health")
        except OSError:
            return False
        return True


@contextmanager
def database_proxy(
    nodes: Sequence[DatabaseServer],
    cluster: Literal["replication", "galera"] = "replication",
    *,
    suite: str | None = None,
) -> Iterator[DatabaseProxy]:
    """Run haproxy with deploy/haproxy/database.cfg while the context is open.

    The nodes need the account `haproxy_check@'127.0.0.1'` without a password.

    Args:
        nodes: Two or three nodes.
        cluster: The value of DATABASE_CLUSTER in the file.
        suite: Which suite of Debian haproxy is from; None for the installed one, or sid's.

    Raises:
        PackageUnavailable: it is not installed, and Debian's package cannot be downloaded.
        DatabaseServerFailed: it does not start.

    """
    port, metrics_port = free_port(), free_port()
    environment = {
        "DATABASE_CLUSTER": cluster,
        "DATABASE_LISTEN": f"{HOST}:{port}",
        "DATABASE_METRICS_LISTEN": f"{HOST}:{metrics_port}",
        **{f"DATABASE_NODE_{number}": f"{node.host}:{node.port}" for number, node in enumerate(nodes, 1)},
    }
    variables = [f"{name}={value}" for name, value in environment.items()]
    command = ["env", *variables, *haproxy_command(suite), "-f", str(CONFIGURATION)]
    home = ServerHome(PROGRAM)
    try:
        home.launch(command)
        proxy = DatabaseProxy(port, nodes, metrics_port, home)
        home.wait_until(proxy.answers, name="haproxy", seconds_max=START_SECONDS_MAX)
        yield proxy
    finally:
        home.remove()


def haproxy_command(suite: str | None = None) -> tuple[str, ...]:
    """Return the command of haproxy.

    Args:
        suite: Which suite of Debian it is from; None for the installed one, or sid's.

    Raises:
        PackageUnavailable: it is not installed, and Debian's package cannot be downloaded.

    """
    program = shutil.which(PROGRAM)
    if program is not None and suite is None:
        return (program,)
    suite = suite or SUITE
    tree = unpacked_packages(f"{PROGRAM}-{suite}", (PROGRAM,), suite=suite)
    return program_command(tree, f"usr/sbin/{PROGRAM}")
