"""Every state that the element shows, which is also the picture in docs/web.md."""

import pytest
from playwright.async_api import Browser

from batchprogress.v1 import progress_pb2 as pb
from tests.e2e.page.scene import Scene
from tests.e2e.page.screenshots import picture
from tests.e2e.web.stage import Stage, stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

VIEW = {"width": 640, "height": 420}
LAYOUT = """
    document.body.style.font = "16px system-ui";
    document.body.style.margin = "0 24px";
    for (const one of document.querySelectorAll("batch-progress")) one.style.marginBlock = "24px";
"""
STATES = {
    "import": "Running",
    "stuck": "Stalled",
    "growing": "Running",
    "failures": "Completed with failures",
    "cancelled": "Cancelled",
    "empty": "Completed",
}


async def test_each_state_is_told_in_words(browser: Browser, sqlite_url: str) -> None:
    async with stage(browser, sqlite_url, viewport=VIEW) as shown:
        await _populate(Scene(sqlite_url, shown.gateway_url, shown.progress.stub))
        await shown.page.open(*(shown.element(one) for one in STATES))
        await shown.page.run(LAYOUT)
        for batch_id, state in STATES.items():
            await shown.page.watched.shows(f'batch-progress[batch-id="{batch_id}"] [part=state]', state)
        assert await _percentages(shown) == ["56 %", "99 %", "", "100 %", "60 %", "100 %"]
        await picture(shown.page.watched, "web")


async def _percentages(shown: Stage) -> list[str]:
    return await shown.page.watched.page.locator("batch-progress [part=percent]").all_text_contents()


async def _populate(scene: Scene) -> None:
    for batch_id, jobs, name, ended in (
        ("import", 1_037, "October import", 590),
        ("stuck", 1_037, "September import", 1_030),
        ("failures", 400, "Invoices", 400),
        ("cancelled", 100, "Newsletter", 60),
        ("empty", 0, "Nothing new", 0),
    ):
        await scene.create(batch_id, jobs, name)
        if ended:
            await scene.report(batch_id, range(ended))
    growing = pb.CreateBatchRequest(
        batch_id="growing", total_jobs=100, sealed=False, display_name="Thumbnails"
    )
    await scene.stub.CreateBatch(growing)
    await scene.report("growing", range(20))
    await scene.let_time_pass("stuck")
    await scene.stub.CancelBatch(pb.CancelBatchRequest(batch_id="cancelled"))
