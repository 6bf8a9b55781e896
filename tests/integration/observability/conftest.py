"""A server whose metrics are scraped over HTTP."""

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from database_servers.ports import free_port
from tests.support.progress import Served, served

SECONDS_MAX = 20.0

Scrape = Callable[[], Awaitable[str]]


@asynccontextmanager
async def scraped(url: str, **settings: Any) -> AsyncIterator[tuple[Served, Scrape]]:
    """Serve; yield the server and a function that scrapes its metrics."""
    port = free_port()

    def read() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS_MAX) as answer:
            return str(answer.read().decode())

    async with served(url, metrics_listen=f"127.0.0.1:{port}", **settings) as server:
        yield server, lambda: asyncio.to_thread(read)


def value(metrics: str, series: str) -> float | None:
    """Return the value of a series, in Prometheus notation; None if it does not exist."""
    for line in metrics.splitlines():
        name, _, number = line.rpartition(" ")
        if name == series:
            return float(number)
    return None


async def until(scrape: Scrape, series: str, expected: float) -> str:
    """Scrape until a series has a value; return the whole scrape."""
    async with asyncio.timeout(SECONDS_MAX):
        while value(metrics := await scrape(), series) != expected:  # noqa: ASYNC110  # metrics have no event
            await asyncio.sleep(0.05)
    return metrics
