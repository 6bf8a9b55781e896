"""Open pages follow a batch through a stall, a repair and a server restart, without a reload."""

import asyncio
import signal
from pathlib import Path

import grpc
import pytest
from playwright.async_api import Browser

from batchprogress.v1 import progress_pb2 as pb
from tests.e2e.page.page_scripts import SUM_OF_TALLIES
from tests.e2e.page.scene import Scene
from tests.e2e.page.screenshots import VIEW, let_it_stall, pause_for_pictures, picture
from tests.e2e.page.watched_page import watched_page
from tests.support.gateway import gateway_process
from tests.support.progress import progress_process, stub_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

JOBS, REPORTED = 1_037, 1_030


async def test_stuck_and_repaired(browser: Browser, shown: Scene) -> None:
    """The page follows the batch from 0 to 99 %, names the stall, and shows the repair and the end."""
    await populate(shown)
    async with (
        watched_page(browser, viewport=VIEW) as watched,
        watched_page(browser, viewport=VIEW) as listed,
    ):
        await watched.page.goto(f"{shown.url}/batch?id=sync-2026-11")
        await watched.shows("#percent", "0")
        await watched.value("window.neverLoadedAgain = true")
        for begin in range(0, REPORTED, 10):
            await shown.report("sync-2026-11", range(begin, begin + 10))
            await pause_for_pictures()
        await watched.shows("#percent", "99")
        assert await watched.value(SUM_OF_TALLIES) == [JOBS, JOBS]
        await let_it_stall(shown, "sync-2026-11")
        await watched.shows("#stall-reason", f"7 of {JOBS:,} jobs pending")
        assert await watched.text("#state") == "Stalled"
        await shown.report("mails-31", range(620, 660))
        await listed.page.goto(f"{shown.url}/")
        await listed.shows(".row:first-child .state", "Stalled")
        await picture(listed, "list")
        await shown.reconcile("sync-2026-11", JOBS)
        await watched.shows("#percent", "100")
        await watched.shows("#repairs", "7 of 1,037 results were missing")
        await watched.shows("#failures-count", "13 jobs in 2 kinds")
        await watched.shows("#connection", "Ended")
        assert not await watched.page.is_visible("#stall")
        assert await watched.value(SUM_OF_TALLIES) == [JOBS, JOBS]
        assert await watched.value("window.neverLoadedAgain")
        await picture(watched, "batch")


async def populate(shown: Scene) -> None:
    """Create the batch, and others for the list."""
    await shown.create("thumbnails", 5_000, labels={"team": "media"})
    await shown.report("thumbnails", range(800))
    await shown.stub.CancelBatch(pb.CancelBatchRequest(batch_id="thumbnails"))
    await shown.create("import-2026-10", 400, "October import", {"env": "production", "team": "billing"})
    await shown.report("import-2026-10", range(4, 84))
    await shown.report("import-2026-10", range(1_000, 1_320))
    await shown.create("mails-31", 1_200, "Monthly mails", {"team": "crm"})
    await shown.report("mails-31", range(620))
    await shown.create("sync-2026-11", JOBS, "Lecturer sync", {"team": "billing"})


async def test_the_server_restarts(browser: Browser, tmp_path: Path) -> None:
    """Both pages say that the server is unavailable, and continue after its restart."""
    url = f"sqlite+aiosqlite:///{tmp_path}/batches.db"
    async with progress_process(url) as first, gateway_process(first.target) as shown:
        target = first.target
        async with grpc.aio.insecure_channel(target) as channel:
            before = Scene(url, f"http://{shown.target}", stub_of(channel))
            await before.create("b", 4)
        async with watched_page(browser) as batch, watched_page(browser) as listed:
            await asyncio.gather(
                batch.page.goto(f"{before.url}/batch?id=b"), listed.page.goto(f"{before.url}/")
            )
            await asyncio.gather(*(one.shows("#connection", "Live") for one in (batch, listed)))
            first.send(signal.SIGKILL)
            away = "The progress server does not answer. Trying again…"
            await asyncio.gather(*(one.shows("#connection", away) for one in (batch, listed)))
            async with (
                progress_process(url, listen=target),
                grpc.aio.insecure_channel(target) as channel,
            ):
                after = Scene(url, before.url, stub_of(channel))
                await after.report("b", range(3))
                await batch.shows("#percent", "75")
                await listed.shows(".row-percent", "75 %")
                await asyncio.gather(*(one.shows("#connection", "Live") for one in (batch, listed)))
