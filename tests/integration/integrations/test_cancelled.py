"""With skip_cancelled, the jobs of a cancelled batch that have not begun are skipped."""

import pytest
from rq import Queue

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.integrations.scene import Scene
from tests.integration.integrations.test_celery import QUIET, SOLO, WORKER
from tests.integration.integrations.test_dramatiq import BROKER
from tests.integration.integrations.test_rq import worker

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
    """A process learns it from the answer to another one. The tasks are revoked, their chord never runs."""
    waiting = f"*[waits.si()] * {WAITING - 2}, chord([waits.si()], add.si(1))"
    await scene.enqueue("celery", f"progress.run('b', group(add.si(1), {waiting}))")
    await cancel(scene)
    command = WORKER if pool == "prefork" else SOLO
    async with scene.worker(*command, *QUIET, TEST_SKIP_CANCELLED="1"):
        number = await skipped(scene)
        states = scene.celery_states("b")
    assert (states["REVOKED"], states["PENDING"]) == (number - 1, 0)


@pytest.mark.parametrize("kind", ["ProgressWorker", "SimpleProgressWorker"])
async def test_rq_starts_no_job_of_a_batch_that_is_known_to_be_cancelled(scene: Scene, kind: str) -> None:
    """The jobs are canceled in RQ, and those behind them never run."""
    waiting = "job(waits), " * (WAITING - 2) + "job(waits, job_id='last'), job(work, depends_on='last')"
    await scene.enqueue("rq", f"progress.run('b', [job(work), {waiting}])")
    await cancel(scene)
    async with scene.worker(*worker(scene.redis_url, kind), TEST_SKIP_CANCELLED="1"):
        number = await skipped(scene)
    queue = Queue(connection=scene.redis)
    assert queue.canceled_job_registry.count == number - 1
    assert queue.deferred_job_registry.count == 1
    assert not queue.intermediate_queue.get_job_ids()


async def test_dramatiq_starts_no_message_of_a_batch_that_is_known_to_be_cancelled(scene: Scene) -> None:
    """The rest of their pipelines is skipped, too."""
    waiting = f"*[waits.message() for _ in range({WAITING - 2})], waits.message() | work.message()"
    await scene.enqueue("dramatiq", f"progress.run('b', group([work.message(), {waiting}]))")
    await cancel(scene)
    command = ("dramatiq", BROKER, "--processes", "1", "--threads", "2", "--log-file", "/dev/null")
    async with scene.worker(*command, TEST_SKIP_CANCELLED="1"):
        assert await skipped(scene) >= 1 + WAITING - RUNNING_MAX
