"""Operators seal and cancel batches on the page; all others read."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
import pytest
import pytest_asyncio
from playwright.async_api import Route

from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.principal import Role
from tests.e2e.page.watched_page import WatchedPage
from tests.integration.security.conftest import Tokens
from tests.support.gateway import gateway_process
from tests.support.progress import Stub, progress_process, stub_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMES = {"operator": "anna", "reader": "ben"}


@dataclass(frozen=True, slots=True)
class Guarded:
    """Servers that require tokens."""

    url: str
    tokens: Tokens
    stub: Stub

    async def create(self, batch_id: str) -> str:
        """Create a batch of three jobs that is not sealed, and return the URL of its page."""
        metadata = (("authorization", f"Bearer {self.tokens.given['anna']}"),)
        request = pb.CreateBatchRequest(batch_id=batch_id, total_jobs=3, sealed=False)
        await self.stub.CreateBatch(request, metadata=metadata)
        return f"{self.url}/batch?id={batch_id}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    """Run the servers, and a gateway whose page may change batches."""
    folder = tmp_path_factory.mktemp("guarded")
    tokens = Tokens(folder / "tokens.toml")
    for role, name in NAMES.items():
        tokens.add(name, Role(role))
    reader = folder / "reader.token"
    reader.write_text(tokens.given["ben"])
    reader.chmod(0o600)
    database = f"sqlite+aiosqlite:///{folder}/batches.db"
    async with (
        progress_process(database, PROGRESS_TOKENS_FILE=str(tokens.path)) as progress,
        gateway_process(
            progress.target, GATEWAY_TOKEN_FILE=str(reader), GATEWAY_PAGE_CHANGES="true"
        ) as shown,
        grpc.aio.insecure_channel(progress.target) as channel,
    ):
        yield Guarded(f"http://{shown.target}", tokens, stub_of(channel))


async def test_operator_logs_in_seals_and_cancels(guarded: Guarded, watched: WatchedPage) -> None:
    """Each change is confirmed; the token is gone when the page is left."""
    anna = guarded.tokens.given["anna"]
    await watched.page.goto(await guarded.create("open"))
    await log_in(watched, anna)
    await watched.shows("#caller", "as anna")
    await watched.page.get_by_role("button", name="Seal…").click()
    await watched.shows("#ask", "Seal open?")
    await watched.page.get_by_role("button", name="Leave it open").click()
    assert "yes, the batch is not sealed" in await watched.text("#facts")
    await watched.page.get_by_role("button", name="Seal…").click()
    await watched.page.get_by_role("button", name="Seal the batch").click()
    await watched.shows("#facts", "no, the batch is sealed")
    assert not await watched.page.is_visible("#seal")
    stored = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
    assert anna not in await watched.value(stored)
    await watched.page.reload()
    await watched.shows("#log-in", "Log in")
    await log_in(watched, anna)
    await watched.page.get_by_role("button", name="Cancel the batch…").click()
    assert await watched.value("document.activeElement.id") == "ask-no"
    await watched.page.locator("#ask-yes").click()
    await watched.shows("#state", "Cancelled")
    assert not await watched.page.is_visible("#changes")


async def test_reader_and_unknown_token_change_nothing(guarded: Guarded, watched: WatchedPage) -> None:
    """The page says why in plain words, and keeps its dialog open."""
    await watched.page.goto(await guarded.create("read"))
    await watched.shows("#log-in", "Log in")
    assert not await watched.page.is_visible("#cancel")
    await log_in(watched, guarded.tokens.given["ben"])
    await watched.shows("#ask-problem", "This token may not change batches.")
    for token, problem in (
        ("unknown", "The progress server does not accept this token"),
        ("two words", "without spaces"),
    ):
        await watched.page.get_by_label("Token").fill(token)
        await watched.page.locator("#ask-yes").click()
        await watched.shows("#ask-problem", problem)
    await watched.page.keyboard.press("Escape")
    assert not await watched.page.is_visible("#ask")


async def test_token_of_a_proxy_needs_no_log_in(guarded: Guarded, watched: WatchedPage) -> None:
    """The server decides at each change, whatever the page shows."""
    bearer = "anna"

    async def add_token(route: Route) -> None:
        header = {"authorization": f"Bearer {guarded.tokens.given[bearer]}"}
        await route.continue_(headers=route.request.headers | header)

    for path in ("**/*Service/CancelBatch", "**/*Service/GetServerInfo"):
        await watched.page.route(path, add_token)
    await watched.page.goto(await guarded.create("proxied"))
    await watched.shows("#caller", "as anna")
    bearer = "ben"
    await watched.page.get_by_role("button", name="Cancel the batch…").click()
    await watched.page.locator("#ask-yes").click()
    await watched.shows("#ask-problem", "This token may not change batches.")
    bearer = "anna"
    await watched.page.locator("#ask-yes").click()
    await watched.shows("#state", "Cancelled")


async def log_in(watched: WatchedPage, token: str) -> None:
    """Type a token into the dialog."""
    await watched.page.get_by_role("button", name="Log in to change it…").click()
    await watched.page.get_by_label("Token").fill(token)
    await watched.page.locator("#ask-yes").click()
