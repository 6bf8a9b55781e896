"""A proxy that sends new connections to the primary, as haproxy with a check of the role does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK_BYTES_MAX = 1 << 16


class Switch:
    """Forwards connections to one node; open connections stay where they are.

    Args:
        host: The node's host.
        port: The node's port.

    """

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._serving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen on the returned port."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_node, to_node = await asyncio.open_connection(self.host, self.port)
        except OSError:
            writer.close()
            return
        both = (_copy(reader, to_node), _copy(from_node, writer))
        tasks = [asyncio.create_task(one) for one in both]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            to_node.close()
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES_MAX):
            writer.write(chunk)
            await writer.drain()
