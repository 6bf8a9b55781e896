"""Celery: the task of `run(…, on_completed=…)` runs once its batch has completed."""

from http import HTTPStatus

import grpc
import pytest
from celery import Celery
from google.protobuf import json_format

from batchprogress.integrations.celery import WebhookReceiver
from batchprogress.integrations.celery_callbacks import KEY_PREFIX, callback_id
from batchprogress.integrations.job_ids import JOB_IDS_SECONDS
from tests.integration.integrations.scene import Scene
from tests.integration.integrations.test_celery import QUIET, SOLO
from tests.support.eventually import eventually
from tests.unit.client.test_celery_callbacks import event_body
from tests.unit.client.test_webhooks import SECRET, signed

RUN = "progress.run('b', group(add.s(1), add.s(2)), on_completed=add.s('done'))"


async def test_task_of_a_completed_batch_runs(scene: Scene) -> None:
    """The signature is kept in Redis for as long as the ids of a batch are."""
    await scene.enqueue("celery", RUN)
    assert 0 < scene.redis.ttl(f"{KEY_PREFIX}b") <= JOB_IDS_SECONDS
    async with scene.worker(*SOLO, *QUIET):
        assert await scene.completed("b") == (2, 0, 0)
        batch = json_format.MessageToDict(await scene.progress.get("b"))
        body = event_body(batch)
        app = Celery(broker=scene.redis_url, backend=scene.redis_url)
        status, _ = WebhookReceiver(app, SECRET).answer("POST", signed(body), body.encode())
        assert status is HTTPStatus.OK
        await eventually(lambda: scene.redis.exists(f"celery-task-meta-{callback_id('b')}"))
    assert (await scene.progress.get("b")).total_jobs == 2


@pytest.mark.parametrize("results", ["redis://127.0.0.1:1/0", "rpc://"])
async def test_batch_whose_task_cannot_be_kept_is_not_created(scene: Scene, results: str) -> None:
    """The reporter is not strict, but without the task the program would wait for ever."""
    refused = f"try: {RUN}\nexcept Exception: os._exit(0)\nos._exit(1)"
    await scene.enqueue("celery", f"exec({refused!r})", TEST_RESULTS=results)
    assert scene.redis.llen("celery") == 0
    with pytest.raises(grpc.aio.AioRpcError, match="there is no batch b"):
        await scene.get("b")


async def test_disabled_reporter_keeps_no_task(scene: Scene) -> None:
    await scene.enqueue("celery", RUN, BATCHPROGRESS_DISABLED="1")
    assert scene.redis.keys(f"{KEY_PREFIX}*") == []
    assert scene.redis.llen("celery") == 2
