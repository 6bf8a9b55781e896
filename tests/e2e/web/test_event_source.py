"""A plain EventSource, without a library: the browser connects again by itself."""

import signal

import pytest
from playwright.async_api import Browser, Page

from tests.support.events import path_of
from tests.support.eventually import eventually
from tests.support.gateway import Door, gateway_process
from tests.support.progress import progress_process

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.more("restarts processes")]

VIEW = """
    window.seen = [];
    window.source = new EventSource("%s");
    for (const name of ["batch", "problem", "ended"]) {
        source.addEventListener(name, (event) => seen.push(name));
    }
    source.addEventListener("batch", (event) => window.batch = JSON.parse(event.data));
"""
CLOSED = 2
WAIT_SECONDS_MAX = 60.0


async def test_an_event_source_survives_restarts_and_stops_after_the_end(
    browser: Browser, sqlite_url: str
) -> None:
    page = await browser.new_page()
    async with progress_process(sqlite_url) as server:
        async with gateway_process(server.target) as first:
            door = Door(first.port)
            await door.call("CreateBatch", batchId="b", totalJobs=2)
            await page.goto(f"http://{first.target}/health")
            await page.evaluate(VIEW % path_of("b"))
            await _shows(page, "window.batch && window.batch.percentComplete === 0")
            first.send(signal.SIGTERM)
            await first.ended()
        async with gateway_process(server.target, GATEWAY_LISTEN=first.target):
            await _report(door, "1")
            await _shows(page, "window.batch.percentComplete === 50")
            server.send(signal.SIGKILL)
            await server.ended()
            await _shows(page, "seen.includes('problem')")
            async with progress_process(sqlite_url, listen=server.target):
                await eventually(lambda: _report(door, "2"), WAIT_SECONDS_MAX)
                await _shows(page, "window.batch.state === 'BATCH_STATE_COMPLETED'")
                await _shows(page, f"source.readyState === {CLOSED}")
    assert await page.evaluate("seen.filter((name) => name === 'ended').length") == 1
    await page.close()


async def test_an_event_source_whose_gateway_and_server_restart_together_goes_on(
    browser: Browser, sqlite_url: str
) -> None:
    """The gateway is back first: it must not answer 503, after which the browser would give up."""
    page = await browser.new_page()
    async with progress_process(sqlite_url) as server, gateway_process(server.target) as first:
        door = Door(first.port)
        await door.call("CreateBatch", batchId="b", totalJobs=1)
        await page.goto(f"http://{first.target}/health")
        await page.evaluate(VIEW % path_of("b"))
        await _shows(page, "window.batch")
        server.send(signal.SIGKILL)
        first.send(signal.SIGKILL)
        await server.ended()
        await first.ended()
    async with gateway_process(server.target, GATEWAY_LISTEN=first.target):
        await _shows(page, "seen.includes('problem')")
        async with progress_process(sqlite_url, listen=server.target):
            await eventually(lambda: _report(door, "1"), WAIT_SECONDS_MAX)
            await _shows(page, "seen.includes('ended')")
    await page.close()


async def _shows(page: Page, condition: str) -> None:
    await page.wait_for_function(condition, timeout=WAIT_SECONDS_MAX * 1_000)


async def _report(door: Door, job_id: str) -> bool:
    answer = await door.call("ReportJobResult", batchId="b", jobId=job_id, outcome="JOB_OUTCOME_SUCCEEDED")
    return answer.status == 200
