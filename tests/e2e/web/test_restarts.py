"""The element survives restarts of the gateway and of the server, and a gateway that hangs."""

import signal

import grpc
import pytest
from playwright.async_api import Browser

from tests.e2e.web.application import application
from tests.e2e.web.stage import element, page_of
from tests.support.gateway import gateway_process
from tests.support.progress import Served, progress_process, served, stub_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHORT_PAUSES = "Math.random = () => 0.1;"
"""The element waits for a random part of its pauses, which grow to 30 s while processes start."""


async def test_a_page_survives_restarts_of_the_gateway_and_of_the_server(
    browser: Browser, sqlite_url: str
) -> None:
    """The bar keeps what it shows, says that there is no connection, and goes on."""
    with application() as app:
        async with page_of(app, browser) as page, progress_process(sqlite_url) as server:
            await page.watched.page.add_init_script(SHORT_PAUSES)
            async with grpc.aio.insecure_channel(server.target) as channel:
                progress = Served(server.port, channel, stub_of(channel))
                await progress.create("import", 3)
                async with gateway_process(server.target, GATEWAY_CORS_ORIGINS=app.origin) as gateway:
                    await page.open(element(f"http://{gateway.target}", "import"))
                    await page.part("percent", "0 %")
                    gateway.send(signal.SIGTERM)
                    await gateway.ended()
                await page.part("problem", "No connection. Trying again…")
                assert await page.text("percent") == "0 %"
                await progress.report("import", "1")
            settings = {"GATEWAY_CORS_ORIGINS": app.origin, "GATEWAY_LISTEN": gateway.target}
            async with gateway_process(server.target, **settings):
                await page.part("percent", "33 %")
                await page.part("problem", "")
                server.send(signal.SIGKILL)
                await server.ended()
                await page.part("problem", "No connection. Trying again…")
                async with progress_process(sqlite_url, listen=server.target) as second:
                    async with grpc.aio.insecure_channel(second.target) as channel:
                        progress = Served(second.port, channel, stub_of(channel))
                        for job_id in ("2", "3"):
                            await progress.report("import", job_id)
                        await page.part("percent", "100 %")
                    assert (await page.event("ended"))["batch"]["revision"] == "4"
            assert all([await one.header_value("last-event-id") for one in page.requests[1:]])


async def test_a_gateway_that_is_silent_is_given_up(browser: Browser, sqlite_url: str) -> None:
    """It sends a heartbeat every 15 s; after a minute without one, by the page's own clock, it is lost."""
    with application() as app:
        async with (
            served(sqlite_url) as progress,
            gateway_process(f"127.0.0.1:{progress.port}", GATEWAY_CORS_ORIGINS=app.origin) as gateway,
            page_of(app, browser) as page,
        ):
            clock = page.watched.page.clock
            await clock.install()
            await page.watched.page.add_init_script(SHORT_PAUSES)
            await progress.create("import", 2)
            await page.open(element(f"http://{gateway.target}", "import"))
            await page.part("percent", "0 %")
            gateway.send(signal.SIGSTOP)
            try:
                for requests in (2, 3):  # the first stream was cut, the second one never answered
                    await clock.run_for(61_000)
                    await page.has_asked(requests)
                await page.part("problem", "No connection. Trying again…")
            finally:
                gateway.send(signal.SIGCONT)
            await progress.report("import", "1")
            await page.part("percent", "50 %")
            assert await page.text("problem") == ""
