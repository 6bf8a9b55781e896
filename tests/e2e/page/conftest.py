"""One Chromium for all tests of this folder, and one scene per module."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from database_servers.errors import PackageUnavailable
from tests.e2e.page import screenshots
from tests.e2e.page.scene import Scene, scene
from tests.e2e.page.watched_page import WatchedPage, watched_page
from tests.support import chromium, not_run

GROUP = "chromium"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests of the browser in one process, which starts it once."""
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
        not_run.without(f"not tested in a browser: chromium is not installed, and {reason}")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shown(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """Run the scene that the tests of a module share."""
    folder = tmp_path_factory.mktemp("page")
    async with scene(f"sqlite+aiosqlite:///{folder}/batches.db") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def watched(browser: Browser) -> AsyncIterator[WatchedPage]:
    """Open a page in a new profile."""
    async with watched_page(browser) as opened:
        yield opened
