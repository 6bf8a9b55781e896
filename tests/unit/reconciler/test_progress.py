"""What a person sees while a pass runs."""

import pytest
from structlog.testing import capture_logs

from reconciler.output.progress_bar import shown, text_of
from reconciler.queue.port import JobPage
from reconciler.run.progress import CountingQueue, PassProgress
from tests.support.eventually import eventually
from tests.unit.reconciler.jobs import job
from tests.unit.reconciler.test_reader import PagedQueue

TEXTS = {
    "preparing": PassProgress(),
    "checked 0 of 1,512 batches": PassProgress(1_512),
    "checked 240 of 1,512 batches, read 1,000,000 jobs": PassProgress(1_512, 240, 1_000_000),
}


@pytest.mark.parametrize(("text", "progress"), TEXTS.items(), ids=TEXTS)
def test_the_progress_is_one_line(text: str, progress: PassProgress) -> None:
    assert text_of(progress) == text


async def test_the_log_says_now_and_then_how_far_a_pass_is() -> None:
    """Standard error is not a terminal here."""
    progress = PassProgress(3, 1)
    with capture_logs() as logs:
        async with shown(progress, log_seconds=0.01):
            await eventually(lambda: logs)
            progress.checked = 2
            await eventually(lambda: logs[-1]["event"] == "checked 2 of 3 batches")


async def test_the_jobs_of_each_page_are_counted() -> None:
    """A list of a million jobs shows that it is being read."""
    progress = PassProgress()
    queue = CountingQueue(PagedQueue(lambda page: JobPage((job(f"job-{page}"),), "more")), progress)
    for _ in range(3):
        await queue.job_page("batch", "", 10)
    assert progress.jobs_read == 3
