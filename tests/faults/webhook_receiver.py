"""python -m tests.faults.webhook_receiver PORT SEED: a receiver that answers 200 or 500, hangs or resets.

It writes each request to standard output before it answers, so that nothing is forgotten when it is killed.
It imports nothing that starts slowly, since it is killed again and again.
"""

import asyncio
import json
import os
import random
import socket
import struct
import sys

READY = "ready"
OK, ERROR, HANG, RESET = "ok", "error", "hang", "reset"
WEIGHTS = {OK: 70, ERROR: 12, HANG: 6, RESET: 12}
RESPONSES = {
    OK: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ERROR: b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
}
NO_LINGER = struct.pack("ii", 1, 0)
"""The close of such a socket sends a reset."""


class Receiver:
    """Answers requests at random.

    Args:
        order: The source of random numbers.

    """

    def __init__(self, order: random.Random) -> None:
        self._order = order

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection until one of its ends closes it."""
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the notifier has closed the connection, or was killed
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        headers, body = await _read_request(reader)
        (answer,) = self._order.choices(list(WEIGHTS), list(WEIGHTS.values()))
        _note({"headers": headers, "body": body, "answer": answer})
        if answer in RESPONSES:
            writer.write(RESPONSES[answer])
            await writer.drain()
        elif answer == HANG:
            await reader.read()  # until the notifier gives up
        else:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            writer.transport.abort()
        return answer in RESPONSES


async def _read_request(reader: asyncio.StreamReader) -> tuple[dict[str, str], str]:
    _, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return headers, (await reader.readexactly(int(headers["content-length"]))).decode()


def _note(request: dict[str, object]) -> None:
    os.write(sys.stdout.fileno(), json.dumps(request).encode() + b"\n")


async def main() -> None:
    """Receive until killed."""
    port, seed = (int(word) for word in sys.argv[1:])
    server = await asyncio.start_server(Receiver(random.Random(seed)).serve, "127.0.0.1", port)
    print(READY, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
