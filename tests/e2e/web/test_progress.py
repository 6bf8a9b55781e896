"""The element follows batches to their end."""

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.e2e.web.stage import Stage
from tests.support.progress import Served

pytestmark = pytest.mark.asyncio(loop_scope="session")

HIDE = "Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
SHOW = "delete document.hidden;"
CHANGED = "document.dispatchEvent(new Event('visibilitychange'))"
"""What a browser does when a tab is hidden or shown; Chromium without a window hides none."""
FAILED, SKIPPED = pb.JOB_OUTCOME_FAILED, pb.JOB_OUTCOME_SKIPPED


async def report(progress: Served, batch_id: str, numbers: range) -> None:
    """Report jobs as succeeded."""
    results = [
        pb.ReportJobResultRequest(
            batch_id=batch_id, job_id=str(number), outcome=pb.JOB_OUTCOME_SUCCEEDED, attempt=1
        )
        for number in numbers
    ]
    await progress.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))


async def test_a_page_follows_a_batch_to_its_end(shown: Stage) -> None:
    """It shows 99 % until the last job has a result, and 100 % then."""
    await shown.progress.create("import", 1_037)
    await shown.page.open(shown.element("import"))
    await shown.page.part("counts", "0 of 1,037 jobs")
    assert await shown.page.bar("aria-valuenow") == "0"
    await report(shown.progress, "import", range(1_033))
    await shown.progress.report("import", "f", FAILED)
    await shown.progress.report("import", "s", SKIPPED)
    await shown.progress.report("import", "last-but-one")
    await shown.page.part("counts", "1,036 of 1,037 jobs")
    assert [await shown.page.text(one) for one in ("percent", "failed-jobs", "skipped-jobs", "state")] == [
        "99 %",
        "1 failed",
        "1 skipped",
        "Running",
    ]
    assert await shown.page.bar("aria-valuenow") == "99"
    assert await shown.page.events("ended") == []
    await shown.progress.report("import", "last")
    await shown.page.part("percent", "100 %")
    await shown.page.part("state", "Completed with failures")
    ended = await shown.page.event("ended")
    assert (ended["batch"]["state"], ended["batch"]["totalJobs"]) == ("BATCH_STATE_COMPLETED", "1037")
    assert (ended["isLast"], ended["totals"]["done"]) == (True, 1_037)
    revisions = [int(one["batch"]["revision"]) for one in await shown.page.events("progress")]
    assert revisions == sorted(set(revisions))
    assert len(shown.page.requests) == 1


async def test_a_batch_that_grows_has_no_percentage_until_it_is_sealed(shown: Stage) -> None:
    await shown.progress.create("growing", 2, sealed=False)
    await shown.progress.report("growing", "1")
    await shown.page.open(shown.element("growing"))
    await shown.page.part("counts", "1 of 2 jobs so far")
    assert await shown.page.text("percent") == ""
    assert await shown.page.bar("aria-valuenow") is None
    await shown.progress.stub.SealBatch(pb.SealBatchRequest(batch_id="growing"))
    await shown.page.part("percent", "50 %")
    assert await shown.page.bar("aria-valuenow") == "50"


async def test_a_cancelled_batch_has_ended(shown: Stage) -> None:
    """Its word says if too many jobs have failed."""
    limit = pb.FailureLimit(jobs=0)
    await shown.progress.stub.CreateBatch(
        pb.CreateBatchRequest(batch_id="limited", total_jobs=3, failure_limit=limit)
    )
    await shown.progress.create("cancelled", 2)
    await shown.progress.stub.CancelBatch(pb.CancelBatchRequest(batch_id="cancelled"))
    await shown.page.open(shown.element("limited"), shown.element("cancelled"))
    await shown.progress.report("limited", "1", FAILED)
    await shown.page.part("state", "Cancelled after too many failures")
    assert await shown.page.text("percent") == "33 %"
    await shown.page.watched.shows("batch-progress:last-of-type [part=state]", "Cancelled")
    assert len(await shown.page.events("ended")) == 2


async def test_several_batches_are_added_up(shown: Stage) -> None:
    """The element has ended when all of them have."""
    await shown.progress.create("a", 2)
    await shown.progress.create("b", 1)
    await shown.page.open(shown.element("a b"))
    await shown.page.part("counts", "0 of 3 jobs")
    await report(shown.progress, "a", range(2))
    await shown.page.part("counts", "2 of 3 jobs")
    assert await shown.page.text("percent") == "66 %"
    await shown.progress.report("b", "1", FAILED)
    await shown.page.part("state", "Completed with failures")
    assert [(one["batch"]["batchId"], one["isLast"]) for one in await shown.page.events("ended")] == [
        ("a", False),
        ("b", True),
    ]


async def test_another_batch_takes_the_place_of_the_first(shown: Stage) -> None:
    await shown.progress.create("first", 2)
    await shown.progress.create("second", 3)
    await shown.page.open(shown.element("first"))
    await shown.page.part("counts", "0 of 2 jobs")
    await shown.page.run("bar.batchId = 'second'")
    await shown.page.part("counts", "0 of 3 jobs")
    await shown.progress.report("first", "1")
    await shown.progress.report("second", "1")
    await shown.page.part("counts", "1 of 3 jobs")
    assert "first" not in {one["batch"]["batchId"] for one in (await shown.page.events("progress"))[1:]}


@pytest.mark.parametrize(
    ("leave", "come_back"),
    [
        ("window.gone = bar; bar.remove()", "document.body.append(window.gone)"),
        (HIDE + CHANGED, SHOW + CHANGED),
    ],
    ids=["removed", "hidden"],
)
async def test_an_element_that_nobody_sees_has_no_stream(shown: Stage, leave: str, come_back: str) -> None:
    """When it is seen again, it resumes after the last event."""
    await shown.progress.create("seen", 3)
    await shown.page.open(shown.element("seen"))
    await shown.page.part("counts", "0 of 3 jobs")
    async with shown.page.watched.page.expect_event("requestfailed"):
        await shown.page.run(leave)
    await shown.progress.report("seen", "1")
    assert len(shown.page.requests) == 1
    await shown.page.run(come_back)
    await shown.page.part("counts", "1 of 3 jobs")
    _, resumed = shown.page.requests
    assert await resumed.header_value("last-event-id") == "1"
