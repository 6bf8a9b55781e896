"""The conformance suite: our own sources pass it, and it finds each kind of wrong answer."""

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
from services.job_status.conformance.suite import INVALID_IDS, check
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


async def broken_rules(channel: grpc.aio.Channel, *batch_ids: str) -> dict[str, tuple[str, ...]]:
    """Return the problems of each rule that a service breaks."""
    return {
        result.rule: result.problems
        for batch_id in batch_ids
        async for result in check(Caller(channel), batch_id)
        if result.problems
    }


@asynccontextmanager
async def _tables(source: str, url: str) -> AsyncIterator[Client]:
    queue = LaravelQueue(url) if source == "laravel" else JobTableQueue(url)
    await queue.create()
    await queue.put("ended", JOBS)
    await queue.put("running", RUNNING)
    if isinstance(queue, LaravelQueue):
        await queue.put_row("unreadable", 3, -1, "[]")
        await queue.put_row("empty", 0, 0, "[]")
    else:
        await queue.put("unreadable", {**JOBS, "job-1": "done"})
        await queue.put("empty", {"a": "waiting"})
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
            job = RqQueue(connection=redis).enqueue(rq_jobs.succeed, job_id=f"{batch_id}-{job_id}")
            job.set_status(states[state])
            redis.sadd(f"batchprogress:jobs:{batch_id}", job.id)


@pytest.mark.parametrize("source", ["laravel", "job_table"])
async def test_source_that_reads_tables_passes(source: str, queue_url: str) -> None:
    async with _tables(source, queue_url) as client:
        batch_ids = ("ended", "running", "unreadable", "empty")
        assert await broken_rules(client.channel, *batch_ids) == {}


@pytest.mark.parametrize("source", ["celery", "rq"])
async def test_source_that_reads_redis_passes(source: str, redis_url: str, reader_url: str) -> None:
    for batch_id, jobs in (("ended", JOBS), ("running", RUNNING)):
        (_put_celery if source == "celery" else _put_rq)(redis_url, batch_id, jobs)
    async with serving(source, redis_url=reader_url) as client:
        assert await broken_rules(client.channel, "ended", "running") == {}


async def test_source_that_reads_kubernetes_passes(tmp_path: Path) -> None:
    api, file = ApiServer(), tmp_path / "kubeconfig"
    spec = {"completionMode": "Indexed", "completions": 60, "parallelism": 60}
    for name, done in (("ended", "0-59"), ("running", "0-41")):
        metadata = {"name": name, "labels": {"batchprogress.dev/batch-id": name}}
        api.jobs[name] = {"metadata": metadata, "spec": spec, "status": {"completedIndexes": done}}
    async with serving_api(api) as url:
        file.write_text(kubeconfig(url))
        async with serving("kubernetes", kubernetes_namespace="queue", kubernetes_config=file) as client:
            assert await broken_rules(client.channel, "ended", "running") == {}


def _jobs(number: int = 30) -> list[FakeJob]:
    return [FakeJob(f"job-{one}") for one in range(number)]


BOUNDED = "the listing ends, and its pages are bounded"
VALID = "listed jobs are valid"
UNREADABLE = "a job that cannot be read is pending"
EXPLAINED = "a contradiction says what is wrong"
WRONG_ANSWERS = {
    "counts that do not add up": (FakeBatch(_jobs(), counts={"total": 31}), "counts add up"),
    "a negative count": (
        FakeBatch(_jobs(), counts={"failed": -1, "succeeded": 31}),
        "no count is negative",
    ),
    "a finished batch of 0 jobs": (FakeBatch([]), "a batch of 0 jobs is not finished"),
    "an unreadable job that has failed": (
        FakeBatch([*_jobs(), FakeJob("a", JobOutcome.FAILED, problem="its result is not JSON")]),
        UNREADABLE,
    ),
    "a problem of 201 characters": (FakeBatch([*_jobs(), FakeJob("a", None, problem="p" * 201)]), UNREADABLE),
    "a contradiction without a problem": (FakeBatch(_jobs(), contradiction=""), EXPLAINED),
    "a contradiction explained in 201 characters": (FakeBatch(_jobs(), contradiction="p" * 201), EXPLAINED),
    "a missing job": (FakeBatch(_jobs(), listed=_jobs(29)), "the listing matches the counts"),
    "a job listed twice": (FakeBatch(_jobs(), listed=[*_jobs(29), FakeJob("job-3")]), BOUNDED),
    "an endless listing": (FakeBatch(_jobs(), same_token=True), BOUNDED),
    "a refused listing": (FakeBatch(_jobs(), refuses_listing=True), "with lists_jobs the jobs are listed"),
    "an invalid job id": (FakeBatch([*_jobs(), FakeJob("two words")]), VALID),
    "a negative attempt": (FakeBatch([*_jobs(), FakeJob("a", attempt=-1)]), VALID),
    "an error of a succeeded job": (
        FakeBatch([*_jobs(), FakeJob("a", JobOutcome.SUCCEEDED, error_type="E")]),
        VALID,
    ),
    "an unknown outcome": (
        FakeBatch([*_jobs(), FakeJob("a", 77)], counts={"total": 30, "succeeded": 30}),
        VALID,
    ),
}


@pytest.mark.parametrize(("batch", "rule"), WRONG_ANSWERS.values(), ids=WRONG_ANSWERS)
async def test_wrong_answer_breaks_a_rule(batch: FakeBatch, rule: str) -> None:
    assert rule in await _broken_rules_of(QueueFake({"batch": batch}))


async def test_error_needs_an_error_info_and_the_right_code() -> None:
    """The fake has no ErrorInfo, accepts a negative page size and crashes on a made-up token."""
    no_info = ("the error has no ErrorInfo (batchprogress, BATCH_NOT_FOUND)",)
    assert await _broken_rules_of(QueueFake({"batch": FakeBatch(_jobs())})) == {
        "an unknown batch is NOT_FOUND": no_info,
        "the batch id with upper and lower case swapped is NOT_FOUND": no_info,
        "the listing of an unknown batch is NOT_FOUND": no_info,
        "the listing of the batch id with upper and lower case swapped is NOT_FOUND": no_info,
        "a negative page_size is INVALID_ARGUMENT": ("the service answers OK",),
        "a made-up page token is INVALID_ARGUMENT": ("the service answers UNKNOWN",),
    }


async def test_contradiction_needs_an_error_info() -> None:
    """Also that of the listing, although the counts can be read."""
    queue = QueueFake({"batch": FakeBatch(_jobs())})
    problems = ("the error has no ErrorInfo (batchprogress, QUEUE_CONTRADICTION)",)
    for method in ("GetBatchStatus", "ListJobStatuses"):
        queue.failure = lambda called, _batch_id, method=method: (  # type: ignore[misc]
            grpc.StatusCode.FAILED_PRECONDITION if called == method else None
        )
        assert (await _broken_rules_of(queue))[EXPLAINED] == problems


async def test_unreadable_job_and_an_explained_contradiction_keep_all_rules() -> None:
    """They are no mistakes of the service."""
    batches = {
        "unreadable": FakeBatch([*_jobs(), FakeJob("a", None, problem="its result is not JSON")]),
        "contradiction": FakeBatch(_jobs(), contradiction="its total count is negative"),
    }
    broken = await _broken_rules_of(QueueFake(batches), *batches)
    assert broken.keys().isdisjoint({UNREADABLE, EXPLAINED, VALID, "the queue knows the batch"})


async def test_service_that_knows_every_id_breaks_rules() -> None:
    """It knows unknown, similar and invalid ids."""
    ids = ("batch", "BATCH", "batch-that-no-queue-has", *INVALID_IDS.values())
    broken = await _broken_rules_of(QueueFake({batch_id: FakeBatch(_jobs()) for batch_id in ids}))
    answers = {
        "an unknown batch is NOT_FOUND",
        "the batch id with upper and lower case swapped is NOT_FOUND",
        *(f"an invalid batch id ({what}) is refused" for what in INVALID_IDS),
    }
    assert {rule for rule in answers if broken.get(rule) == ("the service answers OK",)} == answers


async def test_ended_job_that_is_pending_again_breaks_a_rule() -> None:
    """The queue changes while its jobs are listed."""
    batch = FakeBatch(_jobs())
    queue = QueueFake({"batch": batch})

    async def restart_a_job(_batch_id: str, _token: str) -> None:
        batch.jobs[0] = FakeJob("job-0", None)

    queue.before_page = restart_a_job
    problems = (await _broken_rules_of(queue))["ended jobs stay ended"]
    assert problems == ("the number of ended jobs fell from 30 to 29",)


async def test_unknown_batch_and_counts_only_are_checked_too() -> None:
    """A service without lists_jobs must refuse the listing."""
    batch = FakeBatch(_jobs(), lists_jobs=False)
    broken = await _broken_rules_of(QueueFake({"batch": batch}), "batch", "another")
    assert broken["the queue knows the batch"] == ("the service answers NOT_FOUND",)
    assert "without lists_jobs the listing is UNIMPLEMENTED" not in broken


async def test_listing_of_a_running_batch_need_not_match_its_counts() -> None:
    """Jobs may end between the two calls."""
    batch = FakeBatch([*_jobs(), FakeJob("running", None)], listed=[*_jobs(), FakeJob("running")])
    assert "the listing matches the counts" not in await _broken_rules_of(QueueFake({"batch": batch}))


async def test_some_empty_pages_are_allowed() -> None:
    """Two empty pages in a row do not make a listing endless."""
    batch = FakeBatch(_jobs(3), empty_pages=2)
    assert BOUNDED not in await _broken_rules_of(QueueFake({"batch": batch}))


async def _broken_rules_of(queue: QueueFake, *batch_ids: str) -> dict[str, tuple[str, ...]]:
    async with served(queue) as target, grpc.aio.insecure_channel(target) as channel:
        return await broken_rules(channel, *(batch_ids or ("batch",)))


async def test_exit_code_of_the_command(queue_url: str) -> None:
    """It prints each rule, and exits 0 if all are kept, 1 if one is broken, 69 without an answer."""
    async with _tables("job_table", queue_url) as client:
        target = client.target
        code, out = await _run(target, "ended")
        assert (code, "BROKEN" in out, "kept    ended: counts add up" in out) == (0, False, True)
        code, out = await _run(target, "missing")
        assert (code, "BROKEN  missing: the queue knows the batch\n        the service" in out) == (1, True)
    assert (await _run(target, "ended"))[0] == 69


async def _run(*arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.job_status.conformance", *arguments),
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()
