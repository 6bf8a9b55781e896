"""Listing all pending jobs of a batch, as its queue names them now."""

import json

import pytest

from batches.store import schema
from reconciler import wiring
from reconciler.queue.port import JobsNotListed, QueueBatchUnknown, QueueContradiction, QueueJob
from reconciler.settings import ReconcilerSettings
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch, FakeJob

ON_SQLITE = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)
"""The database is not asked."""


async def listed(scene: Scene, batch_id: str = "batch") -> list[str]:
    """Return the pending jobs in the order in which they are written."""
    written: list[QueueJob] = []
    await wiring.list_pending(ReconcilerSettings(job_status_target=scene.target), batch_id, written.extend)
    return [job.job_id for job in written]


@ON_SQLITE
async def test_all_pending_jobs_are_listed_in_the_order_of_the_queue(scene: Scene) -> None:
    """There may be more than a page holds, and than a look keeps."""
    in_queue = jobs(12_000, pending=7_000)[::-1]
    scene.queue.batches["batch"] = FakeBatch(in_queue, finished=False)
    assert await listed(scene) == [job.job_id for job in in_queue if job.outcome is None]
    assert len([call for call in scene.queue.calls if call[0] == "ListJobStatuses"]) == 3


@ON_SQLITE
async def test_a_queue_that_keeps_only_counts_says_so(scene: Scene) -> None:
    scene.queue.batches["batch"] = FakeBatch(jobs(10, pending=4), finished=False, lists_jobs=False)
    with pytest.raises(JobsNotListed, match="keeps only counts and does not name its jobs; pending: 4"):
        await listed(scene)


@ON_SQLITE
async def test_a_list_that_is_longer_than_its_counts_is_given_up(scene: Scene) -> None:
    """Otherwise a broken queue could list without an end."""
    scene.queue.batches["batch"] = FakeBatch(jobs(10, pending=4), counts={"total": 9, "pending": 3})
    with pytest.raises(QueueContradiction, match="more jobs than the 9"):
        await listed(scene)


@ON_SQLITE
async def test_a_batch_that_the_queue_does_not_know_is_an_error(scene: Scene) -> None:
    with pytest.raises(QueueBatchUnknown):
        await listed(scene, "nope")


@ON_SQLITE
@pytest.mark.more("starts five processes")
async def test_the_command_prints_a_line_for_each_pending_job(scene: Scene) -> None:
    scene.queue.batches["batch"] = FakeBatch(jobs(3, pending=2), finished=False)
    scene.queue.batches["counts"] = FakeBatch(jobs(3, pending=2), lists_jobs=False)
    text = await scene.run_process("--batch-id", "batch", "--list-pending")
    assert (text.code, text.lines) == (0, ["job-00000  attempt 1", "job-00001  attempt 1"])
    as_json = await scene.run_process("--batch-id", "batch", "--list-pending", "--json")
    assert json.loads(as_json.lines[1]) == {
        "job_id": "job-00001",
        "display_name": "",
        "attempt": 1,
        "problem": "",
    }
    counts = await scene.run_process(
        "--batch-id", "counts", "--list-pending", RECONCILER_QUEUE_NAME="Laravel"
    )
    assert (counts.code, counts.lines) == (1, [])
    assert "Laravel keeps only counts and does not name its jobs; pending: 2" in counts.stderr
    for arguments in (
        ("--list-pending",),
        ("--list-pending", "--batch-id", "b", "--end-pending-as", "failed"),
    ):
        assert (await scene.run_process(*arguments)).code == 2


@ON_SQLITE
@pytest.mark.more("starts two processes")
async def test_an_output_that_lacks_characters_of_a_name_gets_others(scene: Scene) -> None:
    job = FakeJob("job", None, display_name="Größe")
    scene.queue.batches["batch"] = FakeBatch([job], finished=False)
    ended = await scene.run_process("--batch-id", "batch", "--list-pending", PYTHONIOENCODING="ascii")
    assert (ended.code, ended.lines) == (0, ["job  attempt 1  Gr??e"])
    await scene.batch("left", FakeBatch([FakeJob("job", None, problem="no Größe")], finished=False))
    ended = await scene.run_process("--batch-id", "left", PYTHONIOENCODING="ascii")
    assert "1 job cannot be read: no Gr??e" in "".join(ended.lines)


@ON_SQLITE
@pytest.mark.more("starts a process")
async def test_the_queue_is_called_by_its_name_in_what_is_kept(scene: Scene) -> None:
    await scene.batch("batch", FakeBatch(jobs(10, pending=4), finished=False), jobs(10)[4:])
    await scene.run_process(RECONCILER_QUEUE_NAME="Celery")
    (look,) = (await scene.rows_of(schema.looks))["looks"]
    assert "4 jobs are still pending in Celery" in look
