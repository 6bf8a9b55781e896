"""What the element shows when the gateway refuses it."""

import pytest
from playwright.async_api import Browser, Route

from tests.e2e.web.application import application
from tests.e2e.web.stage import Stage, element, page_of
from tests.support.eventually import eventually
from tests.support.gateway import gateway
from tests.support.progress import served

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("batch_id", ["nope", "x" * 200])
async def test_an_unknown_batch_is_named_and_not_asked_for_again(shown: Stage, batch_id: str) -> None:
    await shown.page.watched.page.clock.install()
    await shown.page.open(shown.element(batch_id))
    await shown.page.part("problem", f"There is no batch {batch_id}.")
    await shown.page.watched.page.clock.run_for(60_000)
    assert await shown.page.bar("aria-valuenow") is None
    assert len(shown.page.requests) == 1


async def test_one_unknown_batch_of_several_leaves_the_percentage_unknown(shown: Stage) -> None:
    """The sum of the others would be wrong."""
    await shown.progress.create("import", 1)
    await shown.progress.report("import", "1")
    await shown.page.open(shown.element("import nope"))
    await shown.page.part("problem", "There is no batch nope.")
    await shown.page.part("counts", "1 of 1 job so far")
    assert await shown.page.text("percent") == ""


async def test_a_foreign_origin_sees_nothing(browser: Browser, sqlite_url: str) -> None:
    """Its operator has not allowed it in GATEWAY_CORS_ORIGINS; the browser does not say why."""
    with application() as app:
        async with (
            served(sqlite_url) as progress,
            gateway(f"127.0.0.1:{progress.port}", cors_origins="https://app.example") as door,
            page_of(app, browser) as page,
        ):
            await progress.create("import", 1)
            await page.open(element(f"http://127.0.0.1:{door.port}", "import", token="secret"))
            await page.part("problem", "No connection. Trying again…")
            assert await page.text("counts") == ""
            assert await page.events("progress") == []


async def test_a_busy_gateway_is_asked_again_after_the_time_it_says(shown: Stage) -> None:
    """Not earlier, by the page's own clock."""
    await shown.progress.create("import", 1)
    clock, tab = shown.page.watched.page.clock, shown.page.watched.page

    async def refuse(route: Route) -> None:
        allowed = {"access-control-allow-origin": "*", "access-control-expose-headers": "retry-after"}
        await route.fulfill(status=503, headers={"retry-after": "60", **allowed}, body="<html>busy</html>")

    await clock.install()
    await tab.route("**/v1/batch/events?*", refuse)
    await shown.page.open(shown.element("import"))
    await shown.page.part("problem", "No connection. Trying again…")
    await tab.unroute("**/v1/batch/events?*")
    await clock.run_for(59_000)
    assert len(shown.page.requests) == 1
    await clock.run_for(5_000)
    await shown.page.part("counts", "0 of 1 job")
    assert await shown.page.text("problem") == ""


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_refusal_by_a_proxy_may_pass(shown: Stage, status: int) -> None:
    """It is not the gateway's: a proxy answers so while a new version is rolled out, or for other reasons."""
    await shown.progress.create("import", 1)
    clock, tab = shown.page.watched.page.clock, shown.page.watched.page

    async def refuse(route: Route) -> None:
        allowed = {"access-control-allow-origin": "*"}
        await route.fulfill(status=status, headers=allowed, body="<html>a proxy's page</html>")

    await clock.install()
    await tab.route("**/v1/batch/events?*", refuse)
    await shown.page.open(shown.element("import"))
    await eventually(lambda: shown.page.text("problem"))
    await tab.unroute("**/v1/batch/events?*")
    await clock.run_for(5_000)
    await shown.page.part("counts", "0 of 1 job")


async def test_more_batches_than_can_be_streamed_are_refused(shown: Stage) -> None:
    """A sum over some of them would be wrong."""
    await shown.page.open(shown.element(" ".join(map(str, range(17)))))
    await shown.page.part("problem", "At most 16 batches can be shown together.")
    assert shown.page.requests == []


async def test_a_token_is_not_sent_where_a_redirect_leads(shown: Stage) -> None:
    """Not even to the same server, since a proxy's page of log-in is not the gateway."""
    tab, requests = shown.page.watched.page, []
    tab.on("request", lambda request: requests.append(request.url))

    async def redirect(route: Route) -> None:
        headers = {"location": f"{shown.gateway_url}/login", "access-control-allow-origin": "*"}
        await route.fulfill(status=302, headers=headers)

    await tab.route("**/v1/batch/events?*", redirect)
    await shown.page.open(shown.element("import", token="secret"))
    await shown.page.part("problem", "No connection. Trying again…")
    assert [url for url in requests if "/login" in url] == []


async def test_a_batch_that_takes_the_place_of_another_is_followed(shown: Stage) -> None:
    """The gateway ends the stream of the first one, and the next request finds the second one."""
    await shown.progress.create("import", 2)
    event = 'event: refused\ndata: {"code": "not_found"}\n\n'
    headers = {"access-control-allow-origin": "*", "content-type": "text/event-stream"}

    async def end(route: Route) -> None:
        await route.fulfill(headers=headers, body=event)

    await shown.page.watched.page.route("**/v1/batch/events?*", end, times=1)
    await shown.page.open(shown.element("import"))
    await shown.page.part("counts", "0 of 2 jobs")
    assert await shown.page.text("problem") == ""
