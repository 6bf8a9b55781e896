"""Chromium for the tests of this folder, and a stage for each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from database_servers.errors import PackageUnavailable
from tests.e2e.page import screenshots
from tests.e2e.page.conftest import GROUP
from tests.e2e.web.stage import Stage, stage
from tests.support import chromium, not_run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests of the browser in one process."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group(GROUP))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Run Chromium, for pictures with the fonts of a desktop."""
    fonts = [screenshots.FONT_PACKAGE] if screenshots.folder() else []
    try:
        async with chromium.browser(*fonts) as running:
            yield running
    except PackageUnavailable as reason:
        not_run.without(f"<batch-progress> was not tested: chromium is not installed, and {reason}")


@pytest_asyncio.fixture(loop_scope="session")
async def shown(browser: Browser, sqlite_url: str) -> AsyncIterator[Stage]:
    """Run a server, a gateway and a web application, whose page is open."""
    async with stage(browser, sqlite_url) as running:
        yield running
