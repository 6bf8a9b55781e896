"""A server that answers reports only when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from tests.support.gateway import PROGRESS


@dataclass(slots=True)
class HangingServer:
    """Holds the calls of ReportJobResult."""

    port: int = 0
    began: asyncio.Event = field(default_factory=asyncio.Event)
    """A call has arrived."""
    go: asyncio.Event = field(default_factory=asyncio.Event)
    """Calls are answered."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """A call was answered or cancelled."""

    @property
    def target(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    async def answer(self, _request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        """Answer with an empty message."""
        self.began.set()
        try:
            await self.go.wait()
        finally:
            self.ended.set()
        return b""


@asynccontextmanager
async def hanging_server() -> AsyncIterator[HangingServer]:
    """Serve while the context is open."""
    held = HangingServer()
    server = grpc.aio.server()
    handlers: dict[str, Any] = {"ReportJobResult": grpc.unary_unary_rpc_method_handler(held.answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(PROGRESS, handlers),))
    held.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield held
    finally:
        await server.stop(None)
