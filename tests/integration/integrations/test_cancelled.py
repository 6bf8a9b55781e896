"""With skip_cancelled, the jobs of a cancelled batch that have not begun are skipped."""

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.integrations.scene import Scene
from tests.integration.integrations.test_celery import QUIET, SOLO, WORKER

WAITING = 6
"""Jobs that wait for the answer to the first one."""
RUNNING_MAX = 3
"""The first job, and one that each of two processes has begun before the answer came."""


async def cancel(scene: Scene) -> None:
    """Cancel the batch."""
    await scene.progress.stub.CancelBatch(pb.CancelBatchRequest(batch_id="b"))


async def skipped(scene: Scene) -> int:
    """Wait until every job has ended; return how many were skipped."""
    batch = await scene.until("b", 1 + WAITING)
    assert (batch.state, batch.failed_jobs) == (pb.BATCH_STATE_CANCELLED, 0)
    assert 1 <= batch.succeeded_jobs <= RUNNING_MAX
    return batch.skipped_jobs


@pytest.mark.parametrize("pool", ["prefork", "solo"])
async def test_celery_starts_no_task_of_a_batch_that_is_known_to_be_cancelled(
    scene: Scene, pool: str
) -> None:
    """A pool process learns it from the answer to another one. The tasks are revoked."""
    await scene.enqueue("celery", f"progress.run('b', group(add.si(1), *[waits.si()] * {WAITING}))")
    await cancel(scene)
    command = WORKER if pool == "prefork" else SOLO
    async with scene.worker(*command, *QUIET, TEST_SKIP_CANCELLED="1"):
        number = await skipped(scene)
        assert scene.celery_states("b")["REVOKED"] == number
