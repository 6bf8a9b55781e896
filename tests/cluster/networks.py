"""A network namespace for each node: its link to the others can be cut, while clients still reach it."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from database_servers import DatabaseServer
from database_servers.process_server import ProcessServer
from database_servers.watchdog import Watchdog

ROOT = Path(__file__).parents[2]
COMMAND_SECONDS_MAX = 10.0


class NetworksUnavailable(Exception):
    """This machine does not let the tests make networks: they need root, Linux and iproute2."""


class Networks:
    """The networks of some nodes, which a switch connects.

    Args:
        number: How many there are.

    """

    def __init__(self, number: int) -> None:
        self._switch = f"batchprogress-{os.getpid()}-switch"
        self._names = [f"batchprogress-{os.getpid()}-{place}" for place in range(number)]
        self.addresses = [f"10.218.0.{place + 1}" for place in range(number)]
        """The address of each node for the others."""

    def set_link(self, place: int, state: str) -> None:
        """Set the link between a node and the others `up` or `down`."""
        _ip("-n", self._switch, "link", "set", f"port{place}", state)

    @contextmanager
    def made(self) -> Iterator[None]:
        """Make the networks, and delete them at the end.

        Raises:
            NetworksUnavailable: this machine does not let us.

        """
        with ExitStack() as stack:
            for name in (self._switch, *self._names):
                stack.enter_context(_namespace(name))
            _ip("-n", self._switch, "link", "add", "switch", "type", "bridge")
            _ip("-n", self._switch, "link", "set", "switch", "up")
            for place, name in enumerate(self._names):
                port = ("peer", "name", f"port{place}", "netns", self._switch)
                _ip("link", "add", "others", "netns", name, "type", "veth", *port)
                _ip("-n", self._switch, "link", "set", f"port{place}", "master", "switch", "up")
                _ip("-n", name, "address", "add", f"{self.addresses[place]}/24", "dev", "others")
                _ip("-n", name, "link", "set", "others", "up")
                _ip("-n", name, "link", "set", "lo", "up")
            yield

    @contextmanager
    def attached(self, place: int, node: DatabaseServer) -> Iterator[None]:
        """Let a node, which is not started yet, run in its network; clients reach it at the same address.

        Raises:
            NetworksUnavailable: the node is no process of our own.

        """
        if not isinstance(node, ProcessServer):
            raise NetworksUnavailable("the node is in a container")
        node.command_prefix = prefix = ("ip", "netns", "exec", self._names[place])
        with socket.create_server((node.host, node.port)) as listening:
            program = (sys.executable, "-m", "tests.cluster.forward", listening.fileno(), node.port)
            command = (*prefix, *map(str, program))
            process = subprocess.Popen(command, pass_fds=[listening.fileno()], cwd=ROOT)
        try:
            yield
        finally:
            process.kill()
            process.wait()


@contextmanager
def _namespace(name: str) -> Iterator[None]:
    _ip("netns", "add", name)
    watchdog = Watchdog(["ip", "netns", "delete", name])
    try:
        yield
    finally:
        watchdog.finish()


def _ip(*arguments: str) -> None:
    command = (shutil.which("ip") or "ip", *arguments)
    try:
        subprocess.run(command, check=True, timeout=COMMAND_SECONDS_MAX, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise NetworksUnavailable("there is no program ip (package iproute2)") from error
    except subprocess.CalledProcessError as error:
        raise NetworksUnavailable(error.stderr.strip()) from error
