"""A DNS server that answers for one headless Service: the addresses of its ready pods."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import cast

HEADER_BYTES = 12
TYPE_A = 1
TTL_SECONDS = 1
AUTHORITATIVE = 0x8580
POINTER_TO_QUESTION = b"\xc0\x0c"


class NameServer(asyncio.DatagramProtocol):
    """Answers every name with the addresses of the Service.

    Args:
        addresses: returns the IPv4 addresses of the pods that are ready now.

    """

    def __init__(self, addresses: Callable[[], Iterable[str]]) -> None:
        self._addresses = addresses
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a question."""
        assert self._transport is not None
        self._transport.sendto(answer(data, self._addresses()), addr)


def answer(query: bytes, addresses: Iterable[str]) -> bytes:
    """Return the answer to a query with one question: addresses for the type A, nothing for others."""
    end = query.index(b"\0", HEADER_BYTES) + 1
    question = query[HEADER_BYTES : end + 4]
    (kind,) = struct.unpack(">H", query[end : end + 2])
    found = sorted(addresses) if kind == TYPE_A else []
    header = query[:2] + struct.pack(">HHHHH", AUTHORITATIVE, 1, len(found), 0, 0)
    record = POINTER_TO_QUESTION + struct.pack(">HHIH", TYPE_A, 1, TTL_SECONDS, 4)
    return header + question + b"".join(record + socket.inet_aton(one) for one in found)


@asynccontextmanager
async def name_server(addresses: Callable[[], Iterable[str]]) -> AsyncIterator[int]:
    """Run the server; yields its port on 127.0.0.1."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: NameServer(addresses), local_addr=("127.0.0.1", 0)
    )
    try:
        port: int = transport.get_extra_info("sockname")[1]
        yield port
    finally:
        transport.close()
