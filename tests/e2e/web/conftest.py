"""Chromium for the tests of this folder, and a stage for each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.e2e.page.conftest import GROUP, browser
from tests.e2e.web.stage import Stage, stage

__all__ = ["browser"]  # a fixture


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests of the browser in one process."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group(GROUP))


@pytest_asyncio.fixture(loop_scope="session")
async def shown(browser: Browser, sqlite_url: str) -> AsyncIterator[Stage]:
    """Run a server, a gateway and a web application, whose page is open."""
    async with stage(browser, sqlite_url) as running:
        yield running
