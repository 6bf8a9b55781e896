"""A server, and the command line that is configured for it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.integration.cli.command import CommandLine
from tests.support.progress import Served, served


@pytest_asyncio.fixture
async def progress(database_url: str) -> AsyncIterator[Served]:
    """Run a server over an empty database in the test's event loop."""
    async with served(database_url) as server:
        yield server


@pytest_asyncio.fixture
async def cli(progress: Served) -> CommandLine:
    """Return the command line, configured for the server."""
    return CommandLine(f"127.0.0.1:{progress.port}")
