"""A page in Chromium that records errors, dialogs and policy violations."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page

WAIT_MS_MAX = 30_000
"""Pages change within a second, and much later on a busy machine."""
KEEP_VIOLATIONS = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.blockedURI));
"""
"""Runs before all scripts of the page."""


class WatchedPage:
    """A page and its errors.

    Args:
        page: A page that has loaded nothing yet.

    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))

    async def shows(self, selector: str, text: str) -> None:
        """Wait until an element contains this text."""
        await self.page.locator(selector).filter(has_text=text).first.wait_for()

    async def text(self, selector: str) -> str:
        """Return the text of an element."""
        return await self.page.locator(selector).first.inner_text()

    async def value(self, script: str) -> Any:
        """Return the result of a script in the page."""
        return await self.page.evaluate(script)

    async def complaints(self) -> list[str]:
        """Return errors of scripts, dialogs, and violations of the content security policy."""
        return [*self.errors, *await self.value("window.violations")]


@asynccontextmanager
async def watched_page(browser: Browser, **options: Any) -> AsyncIterator[WatchedPage]:
    """Open a page in a new profile while the context is open, and check that it had no complaints."""
    context = await browser.new_context(**options)
    context.set_default_timeout(WAIT_MS_MAX)
    await context.add_init_script(KEEP_VIOLATIONS)
    watched = WatchedPage(await context.new_page())
    yield watched
    assert await watched.complaints() == []
    await context.close()
