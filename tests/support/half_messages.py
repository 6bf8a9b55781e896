"""Calls whose message is announced, sent almost whole, and never ended."""

import select
import socket
import struct
import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, Event, StreamReset
from h2.exceptions import ProtocolError

PATH = "/batchprogress.v1.ProgressService/ReportJobResults"
ANNOUNCED_BYTES = 4_718_592 - 8
"""Just below the largest message that the servers' transport accepts."""
MISSING_BYTES = 1
ZEROS = bytes(16_384)
READ_BYTES = 2**16
HEADERS = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", PATH),
    (":authority", "hostile"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
]


def send_half_messages(port: int, calls: int, seconds: float) -> tuple[int, bool]:
    """Send all but the last byte of each of many messages on one connection, and hold it open.

    Args:
        port: the server's.
        calls: how many messages at a time.
        seconds: how long they are held, sending included.

    Returns:
        How many bytes of messages were sent, and whether the server has closed the connection.

    """
    deadline = time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(0)
        return _Sender(connection, calls, ANNOUNCED_BYTES - MISSING_BYTES).send_until(deadline)


class _Sender:
    def __init__(self, connection: socket.socket, calls: int, message_bytes: int) -> None:
        self._connection = connection
        self._h2 = H2Connection(H2Configuration(client_side=True))
        self._h2.initiate_connection()
        self._sent = 0
        self._is_told_to_end = False
        self._out = b""
        self._prefix = struct.pack(">BI", 0, message_bytes + MISSING_BYTES)
        self._message_bytes = message_bytes
        self._left = dict.fromkeys(range(1, 2 * calls, 2), len(self._prefix) + message_bytes)
        self._started: set[int] = set()

    def send_until(self, deadline: float) -> tuple[int, bool]:
        """Send what the server's windows let through, and stay."""
        while (left := deadline - time.monotonic()) > 0:
            if not self._is_told_to_end:
                self._fill()
            self._out += self._h2.data_to_send()
            wants = [self._connection] if self._out else []
            readable, writable, _ = select.select([self._connection], wants, [], left)
            if writable:
                self._out = self._out[self._send() :]
            if readable and not self._read():
                return self._sent, True
        return self._sent, False

    def _send(self) -> int:
        try:
            return self._connection.send(self._out)
        except OSError:  # closed, as the next read shows
            return len(self._out)

    def _read(self) -> bool:
        """Read; return whether the connection is still open."""
        try:
            data = self._connection.recv(READ_BYTES)
        except OSError:
            return False
        if not self._is_told_to_end:
            try:
                self._react(self._h2.receive_data(data))
            except ProtocolError:  # after a GOAWAY, h2 takes nothing more; a hostile client stays
                self._is_told_to_end = True
        return bool(data)

    def _react(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, StreamReset):
                self._left.pop(event.stream_id, None)
            elif isinstance(event, ConnectionTerminated):
                self._is_told_to_end = True

    def _fill(self) -> None:
        """Give every call its share of the windows, until a bufferful waits to be sent."""
        for stream in list(self._left):
            if len(self._out) > READ_BYTES:
                return
            if stream not in self._started:
                if self._h2.open_outbound_streams >= self._h2.remote_settings.max_concurrent_streams:
                    return
                self._h2.send_headers(stream, HEADERS)
                self._started.add(stream)
            self._continue(stream)
            self._out += self._h2.data_to_send()

    def _continue(self, stream: int) -> None:
        """Send the announcement as soon as there is a window, then zeros."""
        window, left = self._h2.local_flow_control_window(stream), self._left[stream]
        is_first = left > self._message_bytes
        part = self._prefix if is_first else ZEROS[: min(left, window)]
        if 0 < len(part) <= window:
            self._h2.send_data(stream, part)
            self._left[stream] -= len(part)
            self._sent += len(part)
