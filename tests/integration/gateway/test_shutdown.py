"""The HTTP server stops although clients connect at that moment."""

import asyncio
import socket

import pytest

from services.gateway.app import FULL, SERVING
from services.gateway.web.web_server import ServerOptions, WebServer, bind

SECONDS_MAX = 5.0
DRAIN_SECONDS = 600.0


@pytest.mark.parametrize("turns", range(6))
async def test_a_connection_that_is_accepted_late_does_not_delay_the_end(turns: int) -> None:
    """After so many turns of the event loop it may be accepted, but not known to uvicorn yet."""
    listening = bind("127.0.0.1:0")
    server = WebServer(SERVING, ServerOptions(FULL, 1, DRAIN_SECONDS))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup([listening])
    with socket.create_connection(listening.getsockname()):
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(SECONDS_MAX):
            await server.shutdown([listening])
