"""A progress server, and the gateway in front of it. The database makes no difference here."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.integration.security.conftest import Serve, key_file, serve, tokens
from tests.support.gateway import Door, gateway
from tests.support.progress import Served, served

__all__ = ["Serve", "key_file", "serve", "tokens"]  # fixtures


@pytest_asyncio.fixture
async def progress(sqlite_url: str) -> AsyncIterator[Served]:
    """A server over an empty database."""
    async with served(sqlite_url) as server:
        yield server


@pytest_asyncio.fixture
async def door(progress: Served) -> AsyncIterator[Door]:
    """A client of a gateway in front of the server."""
    async with gateway(f"127.0.0.1:{progress.port}") as client:
        yield client


@pytest_asyncio.fixture
async def closed_door() -> AsyncIterator[Door]:
    """A client of a gateway whose server is away, for what is answered without one."""
    async with gateway("127.0.0.1:1") as client:
        yield client
