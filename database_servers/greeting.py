"""Reading the first packet a MySQL or MariaDB server sends: the proof that it serves."""

import socket
import time
from collections.abc import Callable

# The server says hello first, and within a millisecond; a second is for a busy CI machine.
GREETING_SECONDS_MAX = 1.0
# Short against the second a start takes, long against one attempt to connect.
RETRY_SECONDS = 0.02
# The only protocol version since MySQL 3.21; an error packet starts with 255 instead.
PROTOCOL_VERSION = 10


def read_greeting(host: str, port: int) -> str:
    """Return the version text of the server there; OSError if none serves (yet).

    An open port is no proof: it is bound before crash recovery, and Docker's proxy
    accepts for a server that does not listen yet.
    """
    with socket.create_connection((host, port), timeout=GREETING_SECONDS_MAX) as connection:
        # 3 bytes of length, little-endian, then the packet's number.
        length = int.from_bytes(_receive(connection, 4)[:3], "little")
        packet = _receive(connection, length)
    if packet[:1] != bytes([PROTOCOL_VERSION]):
        raise ConnectionError(f"it refuses clients: {packet[3:].decode(errors='replace')}")
    return packet[1 : packet.index(0, 1)].decode(errors="replace")


def wait_for_greeting(host: str, port: int, *, seconds_max: float, check_alive: Callable[[], None]) -> None:
    """Return once the server greets; TimeoutError after `seconds_max`, or what `check_alive` raises."""
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


def _receive(connection: socket.socket, size: int) -> bytes:
    """Return exactly `size` bytes; ConnectionError if the server hangs up before."""
    received = b""
    while len(received) < size:
        chunk = connection.recv(size - len(received))
        if not chunk:
            raise ConnectionError("it hung up before it greeted")
        received += chunk
    return received
