"""The dashboard in the event loop of a test or as a process, and requests to it."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from services.dashboard.settings import DashboardSettings
from services.dashboard.wiring import dashboard_server
from tests.support.progress import ROOT, ProgressProcess, serving, start_from

SECONDS_MAX = 30
"""An answer takes milliseconds, and much longer on a busy machine."""
LINE_BYTES_MAX = 1 << 20
"""The longest line is a history."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed as JSON."""
        return json.loads(self.body)


class Event:
    """A server-sent event.

    Args:
        lines: Its lines.

    """

    def __init__(self, lines: list[str]) -> None:
        fields = dict(line.partition(": ")[::2] for line in lines)
        self.name = fields["event"]
        self.data: Any = json.loads(fields["data"])


@dataclass(frozen=True, slots=True)
class Page:
    """An HTTP client of the dashboard."""

    url: str

    async def get(
        self, path: str, *, method: str = "GET", host: str | None = None, **query: object
    ) -> Answer:
        """Send a request; a list in the query gives a parameter for each item."""
        headers = {} if host is None else {"Host": host}
        address = f"{self.url}{path}?{urlencode(query, doseq=True)}"
        return await asyncio.to_thread(_get, urllib.request.Request(address, headers=headers, method=method))  # noqa: S310  # ours

    @asynccontextmanager
    async def events(self, batch_id: str) -> AsyncIterator[AsyncIterator[Event]]:
        """Open the event stream of a batch while the context is open."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=LINE_BYTES_MAX)
        path = f"/api/batch/events?{urlencode({'id': batch_id})}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        try:
            yield _events(reader)
        finally:
            writer.close()


@asynccontextmanager
async def dashboard(progress_target: str, **settings: Any) -> AsyncIterator[Page]:
    """Serve the dashboard in this event loop while the context is open."""
    chosen = DashboardSettings(listen="127.0.0.1:0", progress_target=progress_target, **settings)
    async with dashboard_server(chosen) as (server, _):
        yield Page(f"http://127.0.0.1:{server.port}")


@asynccontextmanager
async def dashboard_process(progress_target: str, **environment: str) -> AsyncIterator[ProgressProcess]:
    """Run `python -m services.dashboard` while the context is open."""
    async with serving(await start(DASHBOARD_PROGRESS_TARGET=progress_target, **environment)) as server:
        yield server


async def start(**environment: str) -> asyncio.subprocess.Process:
    """Start the dashboard with its log on a pipe."""
    return await start_from(ROOT, {"DASHBOARD_LISTEN": "127.0.0.1:0", **environment}, "services.dashboard")


def _get(request: urllib.request.Request) -> Answer:
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:  # noqa: S310  # ours
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read())


async def _events(reader: asyncio.StreamReader) -> AsyncIterator[Event]:
    lines: list[str] = []
    async with asyncio.timeout(SECONDS_MAX):
        while raw := await reader.readline():
            line = raw.decode().rstrip("\r\n")
            if line.startswith(("event: ", "data: ")):
                lines.append(line)
            elif lines and not line:
                yield Event(lines)
                lines = []
