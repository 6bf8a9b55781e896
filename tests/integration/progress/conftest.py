"""A progress server for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.progress import Served, served


@pytest_asyncio.fixture
async def progress(database_url: str) -> AsyncIterator[Served]:
    """A server over an empty database, in the test's own loop."""
    async with served(database_url) as server:
        yield server
