"""Forwards connections from a socket of another network namespace to a port of its own one.

usage: python -m tests.cluster.forward SOCKET PORT

A socket stays in the namespace in which it was made; whoever starts this program passes it one that listens.
"""

import asyncio
import socket
import sys

CHUNK_BYTES_MAX = 1 << 16


async def forward(listening: socket.socket, port: int) -> None:
    """Forward every connection, for as long as this process runs."""

    async def accept(from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            from_node, to_node = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            to_client.close()
            return
        passing = [
            asyncio.create_task(_pass(from_client, to_node)),
            asyncio.create_task(_pass(from_node, to_client)),
        ]
        await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        for task, writer in zip(passing, (to_node, to_client), strict=True):
            task.cancel()
            writer.close()

    async with await asyncio.start_server(accept, sock=listening) as server:
        await server.serve_forever()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(CHUNK_BYTES_MAX):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        return


if __name__ == "__main__":
    asyncio.run(forward(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])))
