"""A progress server, a gateway, and a page of a web application with the element."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

from playwright.async_api import Browser, Request

from tests.e2e.page.watched_page import WatchedPage, watched_page
from tests.e2e.web.application import Application, application
from tests.support.eventually import eventually
from tests.support.gateway import gateway
from tests.support.progress import Served, served

RECORD_EVENTS = """
    window.seen = [];
    for (const name of ["progress", "ended", "token-expiring"]) {
        document.addEventListener(name, ({ type, detail }) => window.seen.push({ type, detail }), true);
    }
"""
"""Runs before all scripts of the page. The events do not bubble, but they are captured."""
EVENTS_PATH = "/v1/batch/events"
WAIT_SECONDS_MAX = 30.0
"""A page changes within a second, and much later on a busy machine."""


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A page with elements, and what it has asked the gateway for."""

    app: Application
    watched: WatchedPage
    requests: list[Request]
    """The requests for events."""

    async def open(self, *elements: str) -> None:
        """Open a page with these elements."""
        self.app.body = "\n".join(elements)
        await self.watched.page.goto(self.app.origin)

    async def part(self, name: str, text: str) -> None:
        """Wait until a part of an element has exactly this text."""
        await eventually(lambda: self.has(name, text), WAIT_SECONDS_MAX)

    async def has(self, name: str, text: str) -> bool:
        """Return whether a part of the first element has exactly this text."""
        return await self.text(name) == text

    async def text(self, name: str) -> str:
        """Return the text of a part of the first element."""
        found = await self.watched.page.locator(f"batch-progress [part={name}]").first.text_content()
        return found or ""

    async def bar(self, name: str) -> str | None:
        """Return an attribute of the first bar."""
        return await self.watched.page.get_by_role("progressbar").first.get_attribute(name)

    async def events(self, kind: str) -> list[Any]:
        """Return the details of the events of a kind."""
        return [one["detail"] for one in await self.watched.value("window.seen") if one["type"] == kind]

    async def event(self, kind: str) -> Any:
        """Wait for an event, and return its detail."""
        (first, *_) = await eventually(lambda: self.events(kind), WAIT_SECONDS_MAX)
        return first

    async def has_asked(self, times: int) -> None:
        """Wait until the page has asked the gateway for events so often."""
        await eventually(lambda: len(self.requests) >= times, WAIT_SECONDS_MAX)

    async def run(self, script: str) -> Any:
        """Run a script with `bar`, the first element."""
        return await self.watched.value(
            f"(() => {{ const bar = document.querySelector('batch-progress'); {script} }})()"
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """The servers, and the page."""

    progress: Served
    gateway_url: str
    page: ShownPage

    def element(self, batch_ids: str, **attributes: str) -> str:
        """Return the markup of an element."""
        return element(self.gateway_url, batch_ids, **attributes)


def element(gateway_url: str, batch_ids: str, **attributes: str) -> str:
    """Return the markup of an element; underscores in the names of attributes are hyphens."""
    every = {"src": gateway_url, "batch_id": batch_ids, **attributes}
    text = " ".join(f'{name.replace("_", "-")}="{escape(value)}"' for name, value in every.items())
    return f"<batch-progress {text}></batch-progress>"


@asynccontextmanager
async def page_of(app: Application, browser: Browser, **options: Any) -> AsyncIterator[ShownPage]:
    """Open an empty page of an application while the context is open."""
    async with watched_page(browser, **options) as watched:
        await watched.page.add_init_script(RECORD_EVENTS)
        requests: list[Request] = []
        watched.page.on("request", lambda one: requests.append(one) if EVENTS_PATH in one.url else None)
        yield ShownPage(app, watched, requests)


@asynccontextmanager
async def stage(browser: Browser, sqlite_url: str, **options: Any) -> AsyncIterator[Stage]:
    """Run everything while the context is open."""
    with application() as app:
        async with (
            served(sqlite_url) as progress,
            gateway(f"127.0.0.1:{progress.port}", cors_origins=app.origin) as door,
            page_of(app, browser, **options) as page,
        ):
            yield Stage(progress, f"http://127.0.0.1:{door.port}", page)
