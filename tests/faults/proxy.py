"""A TCP proxy on 127.0.0.1 that breaks connections, each direction separately."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from database_servers.ports import free_port

CHUNK_BYTES_MAX = 64 * 1024
"""Bytes per read, and in the buffer of asyncio: little is buffered for a stalled connection."""
CHUNKS_HELD_MAX = 64
"""Chunks in transit: about 200 ms of a busy connection, where a chunk is one or two packets."""
RESET_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER with 0 seconds: closing discards unsent data and sends RST."""


@dataclass(slots=True)
class Counts:
    """The number of faults of a proxy."""

    connections: int = 0
    cuts: int = 0
    stalls: int = 0
    half_open: int = 0
    dropped_bytes: int = 0


class Flow:
    """One direction of a connection, and its present fault.

    Args:
        reader: Where bytes come from.
        writer: Where they go to.

    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.latency_seconds = 0.0
        self.dropping = False
        self.dropped_bytes = 0
        self._reader = reader
        self._writer = writer
        self._going = asyncio.Event()
        self._going.set()
        self._held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS_HELD_MAX)

    def stop(self) -> None:
        """Stop reading and writing; what was read is kept."""
        self._going.clear()

    def go_on(self) -> None:
        """Continue, first with what was kept."""
        self._going.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield chunks when they are due, until the sender ends."""
        reading = asyncio.create_task(self._read())
        try:
            while True:
                due, chunk = await self._held.get()
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
                await self._going.wait()
                if not chunk:
                    return
                yield chunk
        finally:
            reading.cancel()

    async def forward(self, chunk: bytes) -> None:
        """Forward or drop a chunk."""
        if self.dropping:
            self.dropped_bytes += len(chunk)
            return
        self._writer.write(chunk)
        await self._writer.drain()

    async def _read(self) -> None:
        chunk = b"-"
        while chunk:
            await self._going.wait()
            try:
                chunk = await self._reader.read(CHUNK_BYTES_MAX)
            except ConnectionError:
                chunk = b""
            await self._held.put((asyncio.get_running_loop().time() + self.latency_seconds, chunk))


class Link:
    """One connection through the proxy."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        counts: Counts,
    ) -> None:
        self.requests = Flow(client[0], server[1])
        self.answers = Flow(server[0], client[1])
        self._writers = (client[1], server[1])
        self._counts = counts
        self.half_open = False

    @property
    def breakable(self) -> bool:
        """Whether the connection is neither closed nor half-open."""
        return not self.half_open and not any(writer.is_closing() for writer in self._writers)

    def delay(self, seconds: float) -> None:
        """Delay both directions."""
        self.requests.latency_seconds = self.answers.latency_seconds = seconds

    def cut(self) -> None:
        """Reset both sides and drop what is in transit."""
        self._counts.cuts += self.breakable
        for writer in self._writers:
            reset(writer)
        for flow in (self.requests, self.answers):
            flow.go_on()  # so that it finds the connection closed

    def leave_half_open(self) -> None:
        """Stop reading and writing without closing, so that both sides believe the connection is alive."""
        self.half_open = True
        self._counts.half_open += 1
        self.requests.stop()
        self.answers.stop()

    async def stall(self, seconds: float) -> None:
        """Forward nothing for a while."""
        self._counts.stalls += 1
        self.requests.stop()
        self.answers.stop()
        await asyncio.sleep(seconds)
        self.requests.go_on()
        self.answers.go_on()

    async def run(self, tap: "Tap") -> None:
        """Forward until one side closes, then close the other."""
        flows = {
            asyncio.create_task(self._carry_requests(tap)),
            asyncio.create_task(self._carry_answers(tap)),
        }
        try:
            await asyncio.wait(flows, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for flow in flows:
                flow.cancel()
            await asyncio.gather(*flows, return_exceptions=True)
            for writer in self._writers:
                writer.close()
            self._counts.dropped_bytes += self.requests.dropped_bytes + self.answers.dropped_bytes

    async def _carry_requests(self, tap: "Tap") -> None:
        with suppress(ConnectionError):
            async for chunk in self.requests.chunks():
                tap.request(self, chunk)
                await self.requests.forward(chunk)

    async def _carry_answers(self, tap: "Tap") -> None:
        with suppress(ConnectionError):
            async for chunk in self.answers.chunks():
                tap.answer(self, chunk)
                await self.answers.forward(chunk)


class Tap:
    """Called with everything before it is forwarded; subclasses break connections."""

    def opened(self, link: Link) -> None:
        """Called for a new connection."""

    def request(self, link: Link, chunk: bytes) -> None:
        """Called with bytes from the client."""

    def answer(self, link: Link, chunk: bytes) -> None:
        """Called with bytes from the server."""


class Proxy:
    """Listens on a port and connects each client to the server.

    Args:
        server_port: The port of the server on this machine.
        tap: Sees and breaks connections.

    """

    def __init__(self, server_port: int, tap: Tap) -> None:
        self.port = free_port()
        self.counts = Counts()
        self.links: list[Link] = []
        self._server_port = server_port
        self._tap = tap
        self._running: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until it ends."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            server = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            reset(writer)
        else:
            await self._carry(Link((reader, writer), server, self.counts))
        finally:
            self._running.discard(task)

    async def close(self) -> None:
        """Reset all connections and wait for their ends."""
        running = list(self._running)
        for task in running:
            task.cancel()
        for link in self.links:
            link.cut()
        await asyncio.gather(*running, return_exceptions=True)

    async def _carry(self, link: Link) -> None:
        self.counts.connections += 1
        self.links.append(link)
        self._tap.opened(link)
        try:
            await link.run(self._tap)
        finally:
            self.links.remove(link)


@asynccontextmanager
async def proxy(server_port: int, tap: Tap | None = None) -> AsyncIterator[Proxy]:
    """Run a proxy in front of a server on this machine while the context is open."""
    running = Proxy(server_port, tap or Tap())
    server = await asyncio.start_server(running.accept, "127.0.0.1", running.port, limit=CHUNK_BYTES_MAX)
    try:
        yield running
    finally:
        server.close()
        await running.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with RST."""
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None and not writer.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
    writer.transport.abort()
