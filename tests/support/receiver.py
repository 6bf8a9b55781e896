"""A receiver of webhooks on a free port, which answers as a test wants and keeps what it was sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the example of Standard Webhooks
OTHER_SECRET = "whsec_" + "b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXI="


@dataclass(frozen=True, slots=True)
class Received:
    """A webhook that was received."""

    webhook_id: str
    type: str
    batch_id: str
    headers: dict[str, str]
    body: str


Answer = Callable[[Received], Awaitable[web.StreamResponse] | web.StreamResponse]


@dataclass
class Receiver:
    """What a receiver has got. `answer` may be replaced at any time."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    answer: Answer = lambda _: web.Response()
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    verified_with: str = SECRET

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hooks"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Verify a webhook with the library of Standard Webhooks, and keep it."""
        body = (await request.read()).decode()
        headers = dict(request.headers)
        lower = {key.lower(): value for key, value in headers.items()}
        content = Webhook(self.verified_with).verify(body, lower)
        assert content == json.loads(body)
        one = Received(lower["webhook-id"], content["type"], content["data"]["batch"]["batchId"], lower, body)
        async with self.news:
            self.received.append(one)
            self.news.notify_all()
        answered = self.answer(one)
        return answered if isinstance(answered, web.StreamResponse) else await answered

    async def wait_for(self, number: int) -> list[Received]:
        """Return what was received as soon as there are so many."""
        async with asyncio.timeout(30), self.news:
            await self.news.wait_for(lambda: len(self.received) >= number)
        return list(self.received)


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Receive while the context is open."""
    one = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", one.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.port = runner.addresses[0][1]
    try:
        yield one
    finally:
        await runner.cleanup()


def write_subscriptions(folder: Path, text: str, secret: str = SECRET) -> Path:
    """Write a file of subscriptions, whose SECRET is replaced by the path of a file with the secret."""
    secret_file, file = folder / "secret", folder / "subscriptions.toml"
    secret_file.write_text(secret + "\n")
    file.write_text(text.replace("SECRET", str(secret_file)))
    return file


def subscription(url: str, name: str = "billing", more: str = "") -> str:
    """Return the table of a subscription."""
    return f'[[subscription]]\nname = "{name}"\nurl = "{url}"\nsecret_file = "SECRET"\n{more}\n'
