"""What the pages say when they cannot show what they were asked for."""

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route

from tests.e2e.page.scene import Scene
from tests.e2e.page.watched_page import WatchedPage, watched_page
from tests.support.eventually import eventually
from tests.support.gateway import gateway_process

BUSY = {
    "code": "resource_exhausted",
    "message": "busy",
    "details": [{"type": "google.rpc.ErrorInfo", "debug": {"reason": "GATEWAY_BUSY"}}],
}
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _batches(shown: Scene) -> None:
    await shown.create("imports", 400, "October import", {"team": "billing"})


async def test_page_says_that_the_server_is_unavailable(browser: Browser) -> None:
    """Instead of an empty page, also if the server was never available."""
    async with gateway_process("127.0.0.1:1") as shown, watched_page(browser) as page:
        for address, place in (("/", "#empty"), ("/batch?id=b", "#nothing")):
            await page.page.goto(f"http://{shown.target}{address}")
            await page.shows(place, "The progress server does not answer.")


async def test_unknown_filter_is_explained(shown: Scene, watched: WatchedPage) -> None:
    """The page does not repeat the request, and links to all batches."""
    await watched.page.goto(f"{shown.url}/?page=none")
    await watched.shows("#empty", "No such filter or page")
    await watched.shows("#connection", "Live")
    await watched.page.get_by_role("link", name="Show all batches").click()
    await watched.shows(".row", "October import")


async def test_list_recovers_from_an_incomplete_answer(shown: Scene, watched: WatchedPage) -> None:
    """The page says that the gateway does not answer until the next answer."""

    async def cut(route: Route) -> None:
        await route.fulfill(status=200, content_type="application/json", body='{"batches": [')

    await watched.page.route("**/ListBatches", cut)
    await watched.page.goto(f"{shown.url}/")
    await watched.shows("#connection", "The gateway does not answer. Trying again…")
    await watched.page.unroute("**/ListBatches")
    await watched.shows("#connection", "Live")


@pytest.mark.more("waits until the page takes the gateway for frozen")
async def test_list_says_that_a_frozen_gateway_does_not_answer(shown: Scene, watched: WatchedPage) -> None:
    """And it asks again."""
    asked: list[Route] = []

    async def hold(route: Route) -> None:
        asked.append(route)

    await watched.page.goto(f"{shown.url}/")
    await watched.shows("#connection", "Live")
    await watched.page.route("**/ListBatches", hold)
    await watched.page.get_by_label("Order").select_option("oldest")
    await eventually(lambda: bool(asked))
    await watched.shows("#connection", "The gateway does not answer. Trying again…")
    await watched.page.unroute("**/ListBatches")
    await watched.shows("#connection", "Live")


async def test_list_waits_for_a_busy_gateway(shown: Scene, watched: WatchedPage) -> None:
    """It keeps what it shows, says why nothing changes, and tries again."""

    async def refuse(route: Route) -> None:
        await route.fulfill(status=429, json=BUSY)

    await watched.page.goto(f"{shown.url}/")
    await watched.shows(".row", "October import")
    await watched.page.route("**/ListBatches", refuse)
    await watched.page.get_by_label("Order").select_option("oldest")
    await watched.shows("#connection", "The gateway has too many other requests to answer. Trying again…")
    await watched.shows(".row", "October import")
    await watched.page.unroute("**/ListBatches")
    await watched.shows("#connection", "Live")


async def test_unknown_batch_is_explained(shown: Scene, watched: WatchedPage) -> None:
    """On the page and in its title, with a link to all batches."""
    await watched.page.goto(f"{shown.url}/batch?id=..%2F..")
    await watched.shows("#nothing", "There is no such batch")
    assert await watched.page.title() == "No such batch · Batch Progress"
    await watched.page.get_by_role("link", name="All batches").click()
    await watched.shows(".row", "October import")


@pytest.mark.parametrize("query", ["", "?id=", "?id=a%20b"])
async def test_address_without_a_valid_id_is_explained(
    shown: Scene, watched: WatchedPage, query: str
) -> None:
    """No stream is opened, and nothing is tried again."""
    requests: list[str] = []
    watched.page.on("request", lambda request: requests.append(request.url))
    await watched.page.goto(f"{shown.url}/batch{query}")
    await watched.shows("#nothing", "The address contains no valid batch id.")
    await watched.shows("#connection", "Not found")
    assert not [url for url in requests if "Service/" in url or "/v1/" in url]
