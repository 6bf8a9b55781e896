"""A batch that is replaced by another one of the same id, or deleted, while a pass looks at it."""

from batches.batch import BatchState, Tally
from batches.new_batch import IfEnded, NewBatch
from batches.store import schema
from batches.store.deletion import CHUNK_ROWS
from reconciler.decision.not_repaired import NotRepairedReason
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch


async def filled(scene: Scene) -> list[str]:
    """Return the tables about batches that have rows."""
    return [name for name, rows in (await scene.tables()).items() if rows and name != "schema_programs"]


async def test_what_the_queue_told_of_the_old_batch_is_not_written_to_the_new_one(scene: Scene) -> None:
    """Even if the new batch has the revision that the old one had; the queue is asked again."""
    await scene.batch("nightly", FakeBatch(jobs(3)))

    async def replace(batch_id: str, _token: str) -> None:
        scene.queue.before_page = None
        scene.queue.batches[batch_id] = FakeBatch(jobs(3, pending=3), finished=False)
        await scene.store.cancel_batch(batch_id)
        await scene.store.create_batch(NewBatch(batch_id, 3, request_id="r", if_ended=IfEnded.REPLACE))

    scene.queue.before_page = replace
    report = await scene.run()
    batch = await scene.store.get_batch("nightly")
    assert (batch.state, batch.tally, batch.revision) == (BatchState.PROCESSING, Tally(), 1)
    assert report.summary.left == {NotRepairedReason.STILL_PENDING: 1}


async def test_batch_that_is_deleted_during_a_pass_stays_deleted(scene: Scene) -> None:
    """Neither results nor a look are written; the pass is clean."""
    await scene.batch("nightly", FakeBatch(jobs(3)))

    async def delete(batch_id: str, _token: str) -> None:
        scene.queue.before_page = None
        await scene.store.cancel_batch(batch_id)
        await scene.store.delete_batch(batch_id)

    scene.queue.before_page = delete
    report = await scene.run()
    assert (report.summary.repaired, report.summary.errors, report.summary.is_clean) == (0, 0, True)
    assert await filled(scene) == []
    assert not (await scene.rows_of(schema.looks))["looks"]


async def test_pass_deletes_the_rows_of_a_large_deleted_batch(scene: Scene) -> None:
    """Whatever the retention is, and although no other batch is old."""
    scene.settings["retention"] = 0
    await scene.batch("nightly", FakeBatch(jobs(CHUNK_ROWS + 1)), jobs(CHUNK_ROWS + 1, failed=2))
    await scene.store.delete_batch("nightly")
    assert len((await scene.tables())["job_results"]) == 1
    await scene.run()
    assert await filled(scene) == []
