"""Reads the greeting, the first packet of a MySQL or MariaDB server, which proves that it serves."""

import socket
import time
from collections.abc import Callable

# The server greets within a millisecond; a second allows for a busy CI machine.
GREETING_SECONDS_MAX = 1.0
# Short compared with a start of a second, long compared with an attempt to connect.
RETRY_SECONDS = 0.02
# The protocol version since MySQL 3.21; an error packet starts with 255 instead.
PROTOCOL_VERSION = 10


def read_greeting(host: str, port: int) -> str:
    """Return the version text of the server at this address.

    An open port proves nothing: it is bound before crash recovery, and Docker's proxy accepts connections
    for a server that does not listen yet.

    Raises:
        OSError: no server answers there, or not yet.

    """
    with (
        socket.create_connection((host, port), timeout=GREETING_SECONDS_MAX) as connection,
        connection.makefile("rb") as stream,
    ):
        # 3 bytes of length, little-endian, then the number of the packet.
        length = int.from_bytes(stream.read(4)[:3], "little")
        packet = stream.read(length)
    if not packet or len(packet) < length:
        raise ConnectionError("it closed the connection before its greeting")
    if packet[:1] != bytes([PROTOCOL_VERSION]):
        raise ConnectionError(f"it refuses clients: {packet[3:].decode(errors='replace')}")
    return packet[1 : packet.index(0, 1)].decode(errors="replace")


def wait_for_greeting(host: str, port: int, *, seconds_max: float, check_alive: Callable[[], None]) -> None:
    """Wait for the greeting.

    Raises:
        TimeoutError: there was none within `seconds_max`.
        Exception: whatever `check_alive` raises; it is called before each attempt.

    """
    deadline = time.monotonic() + seconds_max
    while True:
        check_alive()
        try:
            read_greeting(host, port)
        except OSError as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no greeting on {host}:{port} within {seconds_max:g} s") from error
            time.sleep(RETRY_SECONDS)
        else:
            return
