"""The jobs that were pending in the queue at the newest look."""

import pytest

from batches.errors import BatchNotFound
from batches.look import Look, PendingJob, PendingPage, QueuePending
from batches.store.batch_store import BatchStore
from tests.integration.store.steps import create, on_sqlite, report
from tests.support.samples import FAILED, result

JOBS = (PendingJob("B"), PendingJob("a", "sync_row", 2), PendingJob("b"))
LOOK = Look(
    "batch",
    "still_pending",
    "3 jobs are still pending in the queue",
    QueuePending(3, lists_jobs=True, first_jobs=JOBS),
)


async def pending(store: BatchStore, after_job_id: str | None = None, size: int = 100) -> PendingPage:
    """Return a page of the pending jobs of the batch."""
    return await store.list_pending_jobs("batch", after_job_id=after_job_id, size=size)


async def test_pending_jobs_are_listed_in_byte_order_page_by_page(store: BatchStore) -> None:
    await create(store, 10)
    await store.record_look(LOOK)
    first = await pending(store, size=2)
    second = await pending(store, after_job_id=first.jobs.next_key, size=2)
    assert (first.jobs.items, first.jobs.next_key) == ([JOBS[0], JOBS[1]], "a")
    assert (second.jobs.items, second.jobs.next_key) == ([JOBS[2]], None)
    assert first.look is not None
    assert first.look.sentence == "3 jobs are still pending in the queue"


async def test_a_job_whose_result_was_recorded_since_is_left_out(store: BatchStore) -> None:
    """Then the batch has moved, so the look no longer says why it does not."""
    await create(store, 10)
    await store.record_look(LOOK)
    await report(store, result("a"), result("other"))
    page = await pending(store)
    assert (page.jobs.items, page.look) == ([JOBS[0], JOBS[2]], None)


async def test_a_job_that_waits_for_its_next_attempt_is_pending(store: BatchStore) -> None:
    """One whose pending attempt was reported while the queue was read is not."""
    await create(store, 10)
    await report(store, result("a", FAILED), result("b"))
    await store.record_look(LOOK)
    assert (await pending(store)).jobs.items == [JOBS[0], JOBS[1]]


@on_sqlite
async def test_a_queue_that_keeps_only_counts_is_said_to(store: BatchStore) -> None:
    await create(store, 10)
    only_counts = QueuePending(3, lists_jobs=False)
    await store.record_look(Look("batch", "still_pending", "3 jobs are still pending", only_counts))
    page = await pending(store)
    assert page.jobs.items == []
    assert page.look is not None
    assert page.look.sentence == (
        "3 jobs are still pending; the queue keeps only counts and does not name its jobs"
    )


@on_sqlite
async def test_a_batch_that_was_not_looked_at_or_has_ended_lists_no_jobs(store: BatchStore) -> None:
    await create(store, 10)
    assert await pending(store) == PendingPage((await pending(store)).jobs, None)
    assert (await pending(store)).jobs.items == []
    await store.record_look(LOOK)
    await store.cancel_batch("batch")
    assert ((await pending(store)).jobs.items, (await pending(store)).look) == ([], None)


@on_sqlite
async def test_an_unknown_batch_is_not_found(store: BatchStore) -> None:
    with pytest.raises(BatchNotFound):
        await pending(store)
