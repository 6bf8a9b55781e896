"""1,037 jobs in real queues: eleven are never reported, and the reconciler completes the batch exactly."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from celery.result import GroupResult
from redis import Redis
from rq import Queue

from batchprogress.v1 import progress_pb2 as pb
from database_servers.errors import PackageUnavailable
from database_servers.redis import redis_server
from tests.e2e.story_jobs import BATCH, FAILING_EVERY, JOBS, UNREPORTED_EVERY, make_app, run
from tests.integration.job_status.kubernetes_cluster import Cluster, cluster_of, indexed, stand_in
from tests.integration.job_status.queues import LaravelQueue
from tests.integration.job_status.servers import serving
from tests.k8s import needs
from tests.support import not_run
from tests.support.control_plane import control_plane
from tests.support.notes import note
from tests.support.progress import ROOT, Stub, progress_process, stub_of

STORY_SECONDS_MAX = 60.0
"""It takes 5 s."""
JOB_SECONDS_MAX = 300.0
"""The controllers of a cluster may create 20 pods per second, with a second call for each end."""
POLL_SECONDS = 0.05
FAILED = [number for number in range(JOBS) if number % FAILING_EVERY == 0]
UNREPORTED = [number for number in range(JOBS) if number % UNREPORTED_EVERY == 0]

pytestmark = [
    pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True),
    pytest.mark.xdist_group("redis"),
]


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """Run Redis for the queues."""
    try:
        with redis_server() as server:
            yield server.url
    except PackageUnavailable as error:
        not_run.without(f"no Redis: {error}")


class Story:
    """The batch, and the steps of the story.

    Args:
        url: The URL of the database.
        target: The address of the progress server.
        stub: A client of the server.

    """

    def __init__(self, url: str, target: str, stub: Stub) -> None:
        self.target = target
        self._url = url
        self._stub = stub

    async def batch(self) -> pb.Batch:
        """Read the batch."""
        return (await self._stub.GetBatch(pb.GetBatchRequest(batch_id=BATCH))).batch

    async def report_all(self, job_id: str = "job-{}") -> None:
        """Report all jobs except the unreported ones, for queues without workers of ours."""
        results = [
            pb.ReportJobResultRequest(
                batch_id=BATCH,
                job_id=job_id.format(number),
                outcome=pb.JOB_OUTCOME_FAILED if number in FAILED else pb.JOB_OUTCOME_SUCCEEDED,
            )
            for number in range(JOBS)
            if number not in UNREPORTED
        ]
        await self._stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))

    async def stuck(self) -> None:
        """Wait until only the unreported jobs are pending."""
        await until(self._is_stuck)

    async def _is_stuck(self) -> bool:
        return (await self.batch()).pending_jobs == len(UNREPORTED)

    async def reconcile(self, job_status: str) -> None:
        """Run a pass of the reconciler, as the CronJob does."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "reconciler", "--batch-id", BATCH),
            cwd=ROOT,
            env={
                **os.environ,
                "BATCHES_DATABASE_URL": self._url,
                "RECONCILER_JOB_STATUS_TARGET": job_status,
            },
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()

    async def assert_exact(self) -> None:
        """Check that the batch has completed with the counts of the queue."""
        batch = await self.batch()
        assert batch.state == pb.BATCH_STATE_COMPLETED
        assert (batch.succeeded_jobs, batch.failed_jobs, batch.pending_jobs) == (
            *(JOBS - len(FAILED), len(FAILED), 0),
        )
        assert (batch.percent_complete, batch.reconciled_jobs) == (100, len(UNREPORTED))


@pytest.fixture
async def story(database_url: str) -> AsyncIterator[Story]:
    """Create the batch on a server process."""
    async with (
        progress_process(database_url) as server,
        grpc.aio.insecure_channel(server.target) as channel,
    ):
        stub = stub_of(channel)
        await stub.CreateBatch(pb.CreateBatchRequest(batch_id=BATCH, total_jobs=JOBS))
        yield Story(database_url, server.target, stub)


async def until(is_so: Callable[[], Awaitable[bool]], seconds_max: float = STORY_SECONDS_MAX) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds_max
    while not await is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(POLL_SECONDS)


@contextmanager
def worker(*arguments: str, **variables: str) -> Iterator[None]:
    """Run a worker of a queue, and kill it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def test_celery(story: Story, redis_url: str) -> None:
    """A batch of Celery on Redis is repaired after its worker was killed before the last reports."""
    app = make_app(redis_url)
    results = [app.send_task("run", (number,), task_id=_job_id(number)) for number in range(JOBS)]
    GroupResult(BATCH, results, app=app).save()
    command = ("celery", "--app", "tests.e2e.story_jobs", "worker", "--pool=solo", "--without-gossip")
    async with serving("celery", redis_url=redis_url) as client:
        with worker(*command, "--without-mingle", STORY_QUEUE=redis_url, STORY_PROGRESS=story.target):
            await story.stuck()
            await until(_ended(client.counts))
        await story.reconcile(client.target)
    await story.assert_exact()
    app.close()


async def test_rq(story: Story, redis_url: str) -> None:
    """A batch of RQ with a list of its jobs in Redis is repaired."""
    with Redis.from_url(redis_url) as redis:
        datas = [Queue.prepare_data(run, (number,), job_id=_job_id(number)) for number in range(JOBS)]
        jobs = Queue(connection=redis).enqueue_many(datas)
        redis.sadd(f"batchprogress:jobs:{BATCH}", *(job.id for job in jobs))
    command = ("rq.cli", "worker", "--url", redis_url, "--worker-class", "rq.SimpleWorker", "--quiet")
    async with serving("rq", redis_url=redis_url) as client:
        with worker(*command, "default", STORY_PROGRESS=story.target):
            await story.stuck()
            await until(_ended(client.counts))
        await story.reconcile(client.target)
    await story.assert_exact()


async def test_laravel(story: Story, tmp_path: Path) -> None:
    """A batch that is a row in the table of Laravel is repaired."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'laravel.db'}"
    queue = LaravelQueue(url)
    await queue.create()
    states = {_job_id(one): "failed" if one in FAILED else "succeeded" for one in range(JOBS)}
    await queue.put(BATCH, states)
    await story.report_all()
    async with serving("laravel", url) as client:
        await story.reconcile(client.target)
    await story.assert_exact()


@pytest.fixture
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    """Return the given API server, or else the stand-in, and note which."""
    if reason := needs.server_missing():
        note(request.node, needs.USED, f"the story of Jobs on a stand-in: {reason}")
        async with stand_in(tmp_path) as cluster:
            yield cluster
        return
    with control_plane() as control:
        note(request.node, needs.USED, f"the story of Jobs on {control.origin}")
        async with cluster_of(control) as cluster:
            yield cluster


async def test_kubernetes(story: Story, cluster: Cluster) -> None:
    """An Indexed Job of 1,037 indexes is repaired; the Job controller counts them if there is one."""
    await story.report_all("job/{}")
    await run_indexed_job(cluster)
    async with serving(
        "kubernetes", kubernetes_namespace=cluster.namespace, kubernetes_config=cluster.config_file
    ) as client:
        await until(_ended(client.counts))
        await story.reconcile(client.target)
    await story.assert_exact()


async def run_indexed_job(cluster: Cluster) -> None:
    """Run the Job to its end; pods that no node takes are ended in place of a kubelet."""
    if not cluster.has_controllers:
        await cluster.put("job", BATCH, **indexed(JOBS))
        succeeded = ",".join(str(one) for one in range(JOBS) if one not in FAILED)
        await cluster.set_status("job", completedIndexes=succeeded, failedIndexes=",".join(map(str, FAILED)))
        return
    await cluster.put("job", BATCH, suspend=False, **indexed(JOBS, parallelism=JOBS, backoffLimitPerIndex=0))
    ended: set[str] = set()

    async def has_ended() -> bool:
        pods = {pod["metadata"]["name"]: _index_of(pod) for pod in await cluster.pods("job")}
        await asyncio.gather(
            *(
                cluster.end_pod(name, "Failed" if index in FAILED else "Succeeded")
                for name, index in pods.items()
                if name not in ended
            )
        )
        ended.update(pods)
        return "completionTime" in (status := (await cluster.job("job"))["status"]) or any(
            one["type"] == "Failed" for one in status.get("conditions", [])
        )

    await until(has_ended, JOB_SECONDS_MAX)


def _index_of(pod: dict[str, Any]) -> int:
    return int(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"])


def _job_id(number: int) -> str:
    return f"job-{number}"


def _ended(counts: Callable[[str], Awaitable[object]]) -> Callable[[], Awaitable[bool]]:
    async def ended() -> bool:
        return getattr(await counts(BATCH), "pending", 1) == 0

    return ended
