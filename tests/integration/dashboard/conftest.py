"""A progress server, and the dashboard beside it. The database makes no difference here."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.integration.cli.test_security import guarded
from tests.support.dashboard import Page, dashboard
from tests.support.progress import Served, served

__all__ = ["guarded"]  # the fixture


@pytest_asyncio.fixture
async def progress(sqlite_url: str) -> AsyncIterator[Served]:
    """A server over an empty database."""
    async with served(sqlite_url) as server:
        yield server


@pytest_asyncio.fixture
async def page(progress: Served) -> AsyncIterator[Page]:
    """A page of a dashboard that watches the server."""
    async with dashboard(f"127.0.0.1:{progress.port}") as shown:
        yield shown
