"""A page in Chromium of which every complaint is kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page

WAIT_MS_MAX = 30_000
"""What is awaited comes within a second; on a loaded machine in many."""
KEEP_VIOLATIONS = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.blockedURI));
"""
"""Run before any script of the page."""


class WatchedPage:
    """A page, and what went wrong in it."""

    def __init__(self, page: Page) -> None:
        """Listen from the beginning."""
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))

    async def shows(self, selector: str, text: str) -> None:
        """Wait until an element has this text in it."""
        await self.page.locator(selector).filter(has_text=text).first.wait_for()

    async def text(self, selector: str) -> str:
        """Return an element's text."""
        return await self.page.locator(selector).first.inner_text()

    async def value(self, script: str) -> Any:
        """Return what a script finds in the page."""
        return await self.page.evaluate(script)

    async def complaints(self) -> list[str]:
        """Return errors of scripts, dialogs, and what the policy had to forbid."""
        return [*self.errors, *await self.value("window.violations")]


@asynccontextmanager
async def watched_page(browser: Browser, **options: Any) -> AsyncIterator[WatchedPage]:
    """Open a page of a new profile while the context is open; it may have nothing to complain about."""
    context = await browser.new_context(**options)
    context.set_default_timeout(WAIT_MS_MAX)
    await context.add_init_script(KEEP_VIOLATIONS)
    watched = WatchedPage(await context.new_page())
    yield watched
    assert await watched.complaints() == []
    await context.close()
