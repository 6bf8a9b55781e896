"""The contract suite for third parties: our own sources keep it, and each lie is found."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from celery.result import GroupResult
from redis import Redis
from rq import Queue as RqQueue
from rq.job import JobStatus as RqStatus

from batches.result import JobOutcome
from services.job_status.conformance.caller import Caller
from services.job_status.conformance.suite import check
from tests.integration.job_status import rq_jobs
from tests.integration.job_status.celery_app import make_app
from tests.integration.job_status.kubernetes_api import ApiServer, kubeconfig, serving_api
from tests.integration.job_status.queues import JobTableQueue, LaravelQueue
from tests.integration.job_status.servers import Client, serving
from tests.support.queue_fake import FakeBatch, FakeJob, QueueFake, served

CHECKOUT = Path(__file__).parents[3]
JOBS = {f"job-{number}": "failed" if number % 9 == 0 else "succeeded" for number in range(60)}
RUNNING = {**JOBS, "job-1": "running"}

pytestmark = pytest.mark.xdist_group("redis")


async def broken(channel: grpc.aio.Channel, *batch_ids: str) -> dict[str, tuple[str, ...]]:
    """Return the rules that a service breaks."""
    return {
        finding.rule: finding.broken
        for batch_id in batch_ids
        async for finding in check(Caller(channel), batch_id)
        if finding.broken
    }


@asynccontextmanager
async def _tables(source: str, url: str) -> AsyncIterator[Client]:
    queue = LaravelQueue(url) if source == "laravel" else JobTableQueue(url)
    await queue.create()
    await queue.put("ended", JOBS)
    await queue.put("running", RUNNING)
    async with serving(source, url) as client:
        yield client


def _put_celery(url: str, batch_id: str, jobs: Mapping[str, str]) -> None:
    app = make_app(url, url)
    ids = {job_id: f"{batch_id}-{job_id}" for job_id in jobs}
    GroupResult(batch_id, [app.AsyncResult(task_id) for task_id in ids.values()], app=app).save()
    for job_id, task_id in ids.items():
        state = {"succeeded": "SUCCESS", "failed": "FAILURE", "running": "STARTED"}[jobs[job_id]]
        app.backend.store_result(task_id, ValueError("why") if state == "FAILURE" else None, state)
    app.close()


def _put_rq(url: str, batch_id: str, jobs: Mapping[str, str]) -> None:
    states = {"succeeded": RqStatus.FINISHED, "failed": RqStatus.FAILED, "running": RqStatus.STARTED}
    with Redis.from_url(url) as redis:
        for job_id, state in jobs.items():
            job = RqQueue(connection=redis).enqueue(rq_jobs.well, job_id=f"{batch_id}-{job_id}")
            job.set_status(states[state])
            redis.sadd(f"batchprogress:jobs:{batch_id}", job.id)


@pytest.mark.parametrize("source", ["laravel", "job_table"])
async def test_tables(source: str, queue_url: str) -> None:
    """Sources that read tables keep the contract."""
    async with _tables(source, queue_url) as client:
        assert await broken(client.channel, "ended", "running") == {}


@pytest.mark.parametrize("source", ["celery", "rq"])
async def test_redis(source: str, redis_url: str, reader_url: str) -> None:
    """Sources that read Redis keep the contract."""
    for batch_id, jobs in (("ended", JOBS), ("running", RUNNING)):
        (_put_celery if source == "celery" else _put_rq)(redis_url, batch_id, jobs)
    async with serving(source, redis_url=reader_url) as client:
        assert await broken(client.channel, "ended", "running") == {}


async def test_kubernetes(tmp_path: Path) -> None:
    """The source of Kubernetes keeps the contract."""
    api, file = ApiServer(), tmp_path / "kubeconfig"
    spec = {"completionMode": "Indexed", "completions": 60, "parallelism": 60}
    for name, done in (("ended", "0-59"), ("running", "0-41")):
        metadata = {"name": name, "labels": {"batchprogress.dev/batch-id": name}}
        api.jobs[name] = {"metadata": metadata, "spec": spec, "status": {"completedIndexes": done}}
    async with serving_api(api) as url:
        file.write_text(kubeconfig(url))
        async with serving("kubernetes", kubernetes_namespace="queue", kubernetes_config=file) as client:
            assert await broken(client.channel, "ended", "running") == {}


def _jobs(number: int = 30) -> list[FakeJob]:
    return [FakeJob(f"job-{one}") for one in range(number)]


LIES = {
    "counts that do not add up": (FakeBatch(_jobs(), counts={"total": 31}), "counts add up"),
    "a negative count": (FakeBatch(_jobs(), counts={"failed": -1, "succeeded": 31}), "counts add up"),
    "a list without a job": (FakeBatch(_jobs(), listed=_jobs(29)), "the list is as the counts"),
    "a job twice": (
        FakeBatch(_jobs(), listed=[*_jobs(29), FakeJob("job-3")]),
        "pages hold 1,000 jobs by default",
    ),
    "a list that never ends": (FakeBatch(_jobs(), same_token=True), "pages hold 1,000 jobs by default"),
    "a list that is refused": (
        FakeBatch(_jobs(), refuses_listing=True),
        "a queue that lists jobs lists them",
    ),
    "an id that is none": (
        FakeBatch([*_jobs(), FakeJob("two words")]),
        "jobs are such as a worker could have reported",
    ),
    "an attempt below 0": (
        FakeBatch([*_jobs(), FakeJob("a", attempt=-1)]),
        "jobs are such as a worker could have reported",
    ),
    "an error of a success": (
        FakeBatch([*_jobs(), FakeJob("a", JobOutcome.SUCCEEDED, error_type="E")]),
        "jobs are such as a worker could have reported",
    ),
    "an outcome that there is not": (
        FakeBatch([*_jobs(), FakeJob("a", 77)], counts={"total": 30, "succeeded": 30}),
        "jobs are such as a worker could have reported",
    ),
}


@pytest.mark.parametrize(("batch", "rule"), LIES.values(), ids=LIES)
async def test_lies(batch: FakeBatch, rule: str) -> None:
    """A service that lies is told which rule it breaks."""
    queue = QueueFake()
    queue.batches["batch"] = batch
    async with served(queue) as target, grpc.aio.insecure_channel(target) as channel:
        assert rule in await broken(channel, "batch")


async def test_command(queue_url: str) -> None:
    """The command prints each rule; it exits 0 if all are kept, 1 if not, 69 if nobody answers."""
    async with _tables("job_table", queue_url) as client:
        target = client.target
        code, out = await _run(target, "ended")
        assert (code, "BROKEN" in out, "kept    ended: counts add up" in out) == (0, False, True)
        assert (await _run(target, "missing"))[0] == 1
    assert (await _run(target, "ended"))[0] == 69


async def _run(*arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.job_status.conformance", *arguments),
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()
