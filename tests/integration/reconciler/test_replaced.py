"""A batch that is replaced by another one of the same id while a pass looks at it."""

from batches.batch import BatchState, IfEnded, NewBatch, Tally
from reconciler.decision.not_repaired import NotRepairedReason
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch


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
