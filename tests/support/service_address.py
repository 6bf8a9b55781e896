"""One address for several servers, as a Service of Kubernetes: each connection goes to one that listens."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

CHUNK_BYTES_MAX = 64 * 1024


@asynccontextmanager
async def service_address(ports: Sequence[int]) -> AsyncIterator[str]:
    """Forward connections to these ports while the context is open; yields host:port."""
    flows: set[asyncio.Task[None]] = set()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await _connected(ports)
        if upstream is None:
            writer.close()
            return
        for source, destination in ((reader, upstream[1]), (upstream[0], writer)):
            flow = asyncio.create_task(_copy(source, destination))
            flows.add(flow)
            flow.add_done_callback(flows.discard)

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for flow in flows:
            flow.cancel()
        await asyncio.gather(*flows, return_exceptions=True)


async def _connected(ports: Sequence[int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    for port in random.sample(ports, len(ports)):
        with suppress(OSError):
            return await asyncio.open_connection("127.0.0.1", port)
    return None


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES_MAX):
                writer.write(chunk)
                await writer.drain()
    finally:
        writer.close()
