"""The element with watch tokens, on a server that requires tokens."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from batchprogress import AsyncClient, Unauthenticated
from rpc.callers.principal import Role
from services.gateway.live import admission
from tests.e2e.web.application import application
from tests.e2e.web.stage import ShownPage, element, page_of
from tests.integration.security.conftest import Serve, Tokens, key_file, serve, tokens
from tests.support.eventually import eventually
from tests.support.gateway import gateway
from tests.support.progress import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="session")

__all__ = ["key_file", "serve", "tokens"]  # fixtures

SHORTEST_SECONDS = 10
START_SECONDS_MAX = 30


@dataclass(frozen=True, slots=True)
class Guarded:
    """A page, and the client of its application."""

    page: ShownPage
    client: AsyncClient
    target: str
    """The address of the server."""
    url: str
    """The URL of the gateway."""

    async def give(self, *batch_ids: str, ttl: float | None = None) -> str:
        """Give the element a token of each batch; return them as it gets them."""
        created = [await self.client.create_watch_token(one, ttl=ttl) for one in batch_ids]
        text = " ".join(one.token for one in created)
        await self.page.run(f"bar.token = '{text}'")
        return text


@pytest_asyncio.fixture(loop_scope="session")
async def guarded(
    browser: Browser, serve: Serve, tokens: Tokens, key_file: Path, tmp_path: Path
) -> AsyncIterator[Guarded]:
    """Run a server that requires tokens, a gateway with a reader's token, and a page."""
    owner = tokens.add("application", *Role)
    readers = tmp_path / "reader"
    readers.write_text(tokens.add("gateway", Role.READER), encoding="utf-8")
    readers.chmod(0o600)
    with application() as app:
        async with (
            serve(tokens_file=tokens.path, watch_token_key_file=key_file) as server,
            gateway(
                f"127.0.0.1:{server.port}",
                cors_origins=app.origin,
                token_file=readers,
                anonymous_reads=False,
            ) as door,
            AsyncClient(f"127.0.0.1:{server.port}", token=owner) as client,
            page_of(app, browser) as page,
        ):
            yield Guarded(page, client, f"127.0.0.1:{server.port}", f"http://127.0.0.1:{door.port}")


async def test_a_page_without_a_token_asks_for_one(guarded: Guarded) -> None:
    """It says that it has no access until it gets one."""
    await guarded.client.create("import", 2)
    await guarded.page.open(element(guarded.url, "import"))
    asked = await guarded.page.event("token-expiring")
    assert asked == {"batchId": "import", "expireTime": None, "isRefused": True}
    await guarded.page.part("problem", "Waiting for access…")
    await guarded.page.run("bar.token = 'expired'")
    await guarded.page.part("problem", "Access has expired.")
    given = await guarded.give("import")
    await guarded.page.part("counts", "0 of 2 jobs")
    assert await guarded.page.text("problem") == ""
    assert await guarded.page.requests[-1].header_value("authorization") == f"Bearer {given}"
    assert not [one.url for one in guarded.page.requests if given in one.url]


async def test_a_token_is_renewed_before_it_expires_and_the_bar_stays(guarded: Guarded) -> None:
    await guarded.client.create("import", 2)
    await guarded.page.open(element(guarded.url, ""))
    await guarded.give("import", ttl=SHORTEST_SECONDS)
    await guarded.page.run("bar.batchId = 'import'")
    await guarded.page.part("percent", "0 %")
    asked = await guarded.page.event("token-expiring")
    assert (asked["batchId"], asked["isRefused"]) == ("import", False)
    await guarded.give("import")
    async with guarded.client.reporter("import") as reporter:
        reporter.succeeded("1")
    await guarded.page.part("percent", "50 %")
    assert [one["batch"]["revision"] for one in await guarded.page.events("progress")] == ["1", "2"]
    assert await guarded.page.requests[-1].header_value("last-event-id") == "1"
    assert len(await guarded.page.events("token-expiring")) == 1


async def test_a_token_that_is_revoked_ends_the_stream(
    guarded: Guarded, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar keeps what it shows, and says that the access has expired."""
    monkeypatch.setattr(admission, "ASKED_AGAIN_SECONDS", 0.1)
    kept = tokens.path.read_text(encoding="utf-8")
    revoked = tokens.add("page", Role.READER)
    await guarded.client.create("import", 4)
    await eventually(lambda: _is_valid(guarded.target, revoked))
    await guarded.page.open(element(guarded.url, "import", token=revoked))
    await guarded.page.part("percent", "0 %")
    tokens.path.write_text(kept, encoding="utf-8")
    await guarded.page.part("problem", "Access has expired.")
    assert (await guarded.page.event("token-expiring"))["isRefused"]
    assert await guarded.page.text("percent") == "0 %"


async def test_a_token_of_another_batch_shows_nothing(guarded: Guarded) -> None:
    await guarded.client.create("import", 1)
    await guarded.client.create("other", 1)
    await guarded.page.open(element(guarded.url, ""))
    await guarded.give("other")
    await guarded.page.run("bar.batchId = 'import'")
    await guarded.page.part("problem", "There is no batch import.")
    assert await guarded.page.events("progress") == []


async def test_each_of_several_batches_has_its_own_token(guarded: Guarded) -> None:
    for batch_id in ("a", "b"):
        await guarded.client.create(batch_id, 1)
    await guarded.page.open(element(guarded.url, "a b"))
    await eventually(lambda: _asked_for(guarded.page, {"a", "b"}))
    await guarded.give("a", "b")
    await guarded.page.part("counts", "0 of 2 jobs")


async def _is_valid(target: str, token: str) -> bool:
    """Return whether the server has read the file with this token."""
    async with AsyncClient(target, token=token) as client:
        try:
            await client.get("import")
        except Unauthenticated:
            return False
    return True


async def _asked_for(page: ShownPage, batch_ids: set[str]) -> bool:
    return {one["batchId"] for one in await page.events("token-expiring")} >= batch_ids


async def test_the_example_hands_out_a_token(guarded: Guarded, tokens: Tokens, tmp_path: Path) -> None:
    """Its page shows the batch to the end."""
    token_file = tmp_path / "application"
    token_file.write_text(tokens.given["application"], encoding="utf-8")
    await guarded.client.create("import", 1)
    settings = {"cors_origins": "*", "token_file": tmp_path / "reader", "anonymous_reads": False}
    async with (
        gateway(guarded.target, **settings) as door,
        _example(guarded.target, f"http://127.0.0.1:{door.port}", "0", str(token_file)) as origin,
    ):
        await guarded.page.watched.page.goto(f"{origin}/?batch=import")
        await guarded.page.part("counts", "0 of 1 job")
        async with guarded.client.reporter("import") as reporter:
            reporter.failed("1")
        await guarded.page.part("state", "Completed with failures")
        assert await guarded.page.watched.page.title() == "Import ended: 1 failed"


@asynccontextmanager
async def _example(*arguments: str) -> AsyncIterator[str]:
    """Run the example while the context is open; yields its origin."""
    command = (sys.executable, str(ROOT / "examples" / "web" / "app.py"), *arguments)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=asyncio.subprocess.DEVNULL)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            line = (await process.stdout.readline()).decode()
        yield re.sub(r"\s", "", line)
    finally:
        process.kill()
        await process.wait()
