"""Chooses TCP ports that no other process takes while the server behind them is down."""

import os
import secrets
import socket
from pathlib import Path

# Above well-known services, below the ports that the kernel uses for outgoing connections.
LOWEST_PORT = 10_000
# The default lower end of those on Linux; other systems start higher.
DEFAULT_EPHEMERAL_START = 32_768
EPHEMERAL_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
# Even with half of all ports in use, this many misses in a row do not happen.
ATTEMPTS_MAX = 100
# The processes of a run (pytest-xdist) choose from different ports; twice as many as there ever are.
SHARES = 8

_given: set[int] = set()


def free_port() -> int:
    """Return a free port of 127.0.0.1 that was not returned before.

    The caller binds it later, and releases it while its server is down. Therefore it is outside the range of
    outgoing connections: otherwise a client that retries while the server is down may get the port of the
    server as its own local port, connect to itself, and keep the server from coming back.
    """
    candidates = range(LOWEST_PORT + _share(), _ephemeral_start(), SHARES)
    for _ in range(ATTEMPTS_MAX if candidates else 0):
        port = secrets.choice(candidates)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    return _any_port()


def _share() -> int:
    """Return the number of this process in its run, starting at 0."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SHARES


def _ephemeral_start() -> int:
    """Return the first port that the kernel uses for outgoing connections."""
    try:
        return int(EPHEMERAL_RANGE_FILE.read_text(encoding="ascii").split()[0])
    except OSError:
        return DEFAULT_EPHEMERAL_START


def _is_free(port: int) -> bool:
    """Return whether the port can be bound now."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _any_port() -> int:
    """Return a port from the kernel, for machines without ports below the outgoing range."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
