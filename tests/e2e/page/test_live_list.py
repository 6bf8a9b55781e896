"""The list follows the events of its batches, and is not asked for again."""

import json
import signal
from pathlib import Path

import grpc
import pytest
from playwright.async_api import Browser, Request

from batchprogress.v1 import progress_pb2 as pb
from tests.e2e.page.scene import Scene
from tests.e2e.page.watched_page import WatchedPage, watched_page
from tests.support.gateway import gateway_process
from tests.support.progress import progress_process, stub_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.more("shows lists in a browser")]

PAGE_SIZE = 50


def is_call_for_the_list(request: Request) -> bool:
    """Return whether a request is for a page of the list, and not for a total."""
    if not request.url.endswith("/ListBatches"):
        return False
    return bool(json.loads(request.post_data or "{}").get("pageSize") == PAGE_SIZE)


async def settle(watched: WatchedPage, url: str) -> list[str]:
    """Open the list until it is not asked for any more; return where later calls are noted."""
    async with watched.page.expect_request(is_call_for_the_list):
        await watched.page.goto(url)
    async with watched.page.expect_request(is_call_for_the_list):
        pass  # once more, after the stream is live
    later: list[str] = []
    watched.page.on("request", lambda one: later.append(one.url) if is_call_for_the_list(one) else None)
    return later


async def test_changes_come_without_a_call(shown: Scene, watched: WatchedPage) -> None:
    """Batches begin and cease to match the filters, and the number of all is right."""
    await shown.create("first", 4, labels={"team": "live"})
    later = await settle(watched, f"{shown.url}/?label=team%3Dlive&state=PROCESSING")
    await watched.shows("#count", "1 shown")
    await shown.create("second", 2, labels={"team": "live"})
    await shown.create("other", 2, labels={"team": "other"})
    await watched.shows(".row:first-child", "second")
    await watched.shows("#count", "2 shown")
    await shown.report_succeeded("first", 2)
    await watched.shows(".row:last-child .row-percent", "50 %")
    await shown.report_succeeded("second", 2)
    await watched.shows("#count", "1 shown")
    await watched.shows(".row:first-child", "first")
    assert later == []


async def test_sorted_list_is_sorted_again(shown: Scene, watched: WatchedPage) -> None:
    for batch_id in ("calm", "failing"):
        await shown.create(batch_id, 9, labels={"team": "sorted"})
    await shown.report_failures("calm", 1, "row {}")
    await watched.page.goto(f"{shown.url}/?label=team%3Dsorted&order=failures")
    await watched.shows(".row:first-child", "calm")
    await shown.report_failures("failing", 3, "row {}")
    await watched.shows(".row:first-child", "failing")
    await watched.shows(".row:first-child .row-failed", "3 failed")


async def test_total_of_each_state_is_counted_again(shown: Scene, watched: WatchedPage) -> None:
    await shown.create("counted", 2, labels={"team": "totals"})
    await watched.page.goto(f"{shown.url}/?label=team%3Dtotals")
    await watched.shows("[data-total=PROCESSING]", "1")
    await shown.report_succeeded("counted", 2)
    await watched.shows("[data-total=COMPLETED]", "1")
    await watched.shows("[data-total=PROCESSING]", "0")


async def test_list_goes_on_after_a_restart_of_the_gateway(browser: Browser, tmp_path: Path) -> None:
    """A batch that has ended meanwhile is shown so."""
    database = f"sqlite+aiosqlite:///{tmp_path}/batches.db"
    async with (
        progress_process(database) as progress,
        grpc.aio.insecure_channel(progress.target) as channel,
        watched_page(browser) as page,
    ):
        stub = stub_of(channel)
        await stub.CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=1))
        async with gateway_process(progress.target) as first:
            await settle(page, f"http://{first.target}/")
            await page.shows(".row .row-percent", "0 %")
            listen = first.target
            first.send(signal.SIGTERM)
            await first.ended()
        await stub.CancelBatch(pb.CancelBatchRequest(batch_id="b"))
        async with gateway_process(progress.target, GATEWAY_LISTEN=listen):
            await page.shows(".row .state", "Cancelled")
            await page.shows("#connection", "Live")
