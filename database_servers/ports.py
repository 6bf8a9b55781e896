"""Choosing a TCP port that stays ours while the server behind it is down."""

import os
import secrets
import socket
from pathlib import Path

# Above the well-known services, below the ports the kernel gives to outgoing connections.
LOWEST_PORT = 10_000
# Linux's default lower end of those; other systems start higher.
DEFAULT_EPHEMERAL_START = 32_768
EPHEMERAL_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
# With half of all ports taken, that many misses in a row do not happen.
ATTEMPTS_MAX = 100
# The processes of a run (pytest-xdist) choose among different ports; twice as many as there ever are.
SHARES = 8

_given: set[int] = set()


def free_port() -> int:
    """Return a free port of 127.0.0.1 outside the range of outgoing connections, which no test gets again.

    Whoever asks binds it a second later, or lets go of it while its server is down.

    Port 0 would give one inside: while a killed server is away, a client that
    retries may then get the server's own port as its local one, connect to itself
    and keep the server from coming back.
    """
    candidates = range(LOWEST_PORT + _share(), _ephemeral_start(), SHARES)
    for _ in range(ATTEMPTS_MAX if candidates else 0):
        port = secrets.choice(candidates)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    return _any_port()


def _share() -> int:
    """Return the number of this process within its run, counted from 0."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SHARES


def _ephemeral_start() -> int:
    """Return the first port the kernel uses for outgoing connections."""
    try:
        return int(EPHEMERAL_RANGE_FILE.read_text(encoding="ascii").split()[0])
    except OSError:
        return DEFAULT_EPHEMERAL_START


def _is_free(port: int) -> bool:
    """Tell whether the port can be bound right now."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _any_port() -> int:
    """Return whatever the kernel gives: for machines whose outgoing range leaves nothing below it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
