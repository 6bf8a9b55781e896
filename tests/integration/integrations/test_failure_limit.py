"""`run` of each queue creates its batch with the failure limit that it is given."""

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.integrations.scene import Scene

JOBS = {
    "celery": "group(add.si(1), add.si(1))",
    "dramatiq": "group([work.message(0), work.message(1)])",
    "rq": "[job(work), job(work)]",
}


@pytest.mark.parametrize("queue", JOBS)
async def test_batch_has_the_limit(scene: Scene, queue: str) -> None:
    await scene.enqueue(queue, f"progress.run('a', {JOBS[queue]}, max_failed_jobs=5)")
    await scene.enqueue(queue, f"progress.run('b', {JOBS[queue]}, max_failed_percent=5)")
    assert (await scene.get("a")).failure_limit == pb.FailureLimit(jobs=5)
    assert (await scene.get("b")).failure_limit == pb.FailureLimit(percent=5)
