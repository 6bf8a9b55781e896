"""The element survives restarts of the gateway and of the server."""

import signal

import grpc
import pytest
from playwright.async_api import Browser

from tests.e2e.web.application import application
from tests.e2e.web.stage import element, page_of
from tests.support.gateway import gateway_process
from tests.support.progress import Served, progress_process, stub_of

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
