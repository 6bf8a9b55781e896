"""Failures on the page: every failed job is found, opened, copied and downloaded."""

import pytest
import pytest_asyncio

from batchprogress.v1 import progress_pb2 as pb
from tests.e2e.page.scene import Scene
from tests.e2e.page.watched_page import WatchedPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

KINDS = 130
"""More than one page of groups shows."""
TRACE = 'Traceback (most recent call last):\n  File "sync.py", line 7, in sync\n<b>KeyError</b>: 7\n'


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _batches(shown: Scene) -> None:
    await shown.create("kinds", KINDS)
    results = [
        pb.ReportJobResultRequest(
            batch_id="kinds",
            job_id=f"job/{number:03}",
            outcome=pb.JOB_OUTCOME_FAILED,
            error_type=f"Kind{number:03}",
            error_message="no <such> row",
            display_name=f"sync row {number}",
            error_details=TRACE if number == 7 else "",
        )
        for number in range(KINDS)
    ]
    await shown.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))


async def test_the_totals_are_those_of_the_batch(shown: Scene, watched: WatchedPage) -> None:
    """However many groups are shown."""
    await watched.page.goto(f"{shown.url}/batch?id=kinds")
    await watched.shows("#failures-count", f"{KINDS} jobs in {KINDS} kinds")
    await watched.shows("#failures-shown", f"100 largest of {KINDS} kinds shown.")
    await watched.page.get_by_role("button", name="Show more").click()
    await watched.shows("#failures", "Kind129")
    await watched.shows("#failures-count", f"{KINDS} jobs in {KINDS} kinds")


async def test_a_job_is_found_by_its_id_and_opened(shown: Scene, watched: WatchedPage) -> None:
    """With its error, its stack trace as text, and a link to the queue's own page."""
    await watched.page.goto(f"{shown.url}/batch?id=kinds")
    await watched.page.get_by_role("button", name="All failed jobs").click()
    await watched.shows("#all-failed-jobs", f"{KINDS} jobs shown.")
    await watched.page.get_by_label("Job ids that begin with").fill("job/007")
    await watched.shows("#all-failed-jobs", "1 job shown.")
    await watched.page.get_by_role("button", name="job/007").click()
    await watched.shows("#job-title", "sync row 7")
    await watched.shows("#job-error", "no <such> row")
    await watched.shows("#job-details", "<b>KeyError</b>: 7")
    assert "Kind007" in await watched.text("#job-facts")
    link = watched.page.locator("#job-link")
    await link.wait_for()
    assert await link.get_attribute("href") == "https://flower.example.com/task/job%2F007"
    assert "job=job%2F007" in watched.page.url
    await watched.page.keyboard.press("Escape")
    await watched.page.locator("#job").wait_for(state="hidden")
    assert "job=" not in watched.page.url


async def test_a_link_opens_its_job(shown: Scene, watched: WatchedPage) -> None:
    await watched.page.goto(f"{shown.url}/batch?id=kinds&job=job/008")
    await watched.shows("#job-title", "sync row 8")
    await watched.shows("#job-note", "No stack trace was kept.")


async def test_failures_are_copied_and_downloaded(shown: Scene, watched: WatchedPage) -> None:
    await watched.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await watched.page.goto(f"{shown.url}/batch?id=kinds&job=job/007")
    await watched.shows("#job-details", "KeyError")
    await watched.page.locator("#job-copy").click()
    await watched.shows("#job-copy", "Copied")
    copied = await watched.value("navigator.clipboard.readText()")
    assert copied == f"job/007: Kind007: no <such> row\n\n{TRACE}"
    await watched.page.locator("#job-close").click()
    async with watched.page.expect_download() as downloading:
        await watched.page.get_by_role("link", name="CSV").click()
    download = await downloading.value
    assert download.suggested_filename == "failures-kinds.csv"
    lines = (await download.path()).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + KINDS
