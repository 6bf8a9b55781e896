"""RQ: jobs that depend on others, by real workers."""

import re

import pytest
from redis import Redis
from rq import Queue
from rq.command import send_stop_job_command
from rq.group import Group
from rq.job import Dependency, Job, JobStatus
from rq.registry import FailedJobRegistry

from batchprogress.integrations.rq_dependents import SKIPPED_ATTEMPT, blocked_by
from tests.integration.integrations.scene import Scene
from tests.integration.integrations.test_rq import worker
from tests.support.eventually import eventually

JOBS = (
    "job(retried, (1,), job_id='fails-first'),"
    "job(work, depends_on='fails-first', job_id='behind'),"
    "job(work, depends_on=['behind', 'free'], job_id='further-behind'),"
    "job(work, depends_on=Dependency('fails-first', allow_failure=True), job_id='allows-failure'),"
    "job(killed, job_id='killed'), job(work, depends_on='killed', job_id='behind-killed'),"
    "job(work, job_id='free'), job(work, depends_on='free', job_id='behind-free')"
)

IDS = re.findall(r"job_id='([^']+)'", JOBS)


def status_of(redis: Redis, job_id: str) -> JobStatus:
    """Return RQ's own status of a job."""
    return Job.fetch(job_id, redis).get_status()


async def test_a_job_behind_a_failed_one_does_not_run_and_is_skipped(scene: Scene) -> None:
    """Those behind it are skipped, too. Each runs after all once the failed one has succeeded."""
    await scene.enqueue("rq", f"progress.run('b', [{JOBS}])")
    assert status_of(scene.redis, "behind") is JobStatus.DEFERRED
    assert {job.id for job in Group.fetch("b", scene.redis).get_jobs()} == set(IDS)
    async with scene.worker(*worker(scene.redis_url)):
        assert await scene.completed("b") == (3, 2, 3)
        assert await scene.results("b") == {
            "fails-first": ("FAILED", 1, "ConnectionError"),
            "behind": ("SKIPPED", 1, ""),
            "further-behind": ("SKIPPED", 1, ""),
            "allows-failure": ("SUCCEEDED", 2, ""),
            "killed": ("FAILED", 1, "Work-horse terminated unexpectedly"),
            "behind-killed": ("SKIPPED", 1, ""),
            "free": ("SUCCEEDED", 1, ""),
            "behind-free": ("SUCCEEDED", 2, ""),
        }
        assert status_of(scene.redis, "behind") is JobStatus.DEFERRED
        FailedJobRegistry(queue=Queue(connection=scene.redis)).requeue("fails-first")
        await scene.until_succeeded("b", 6)
    results = await scene.results("b")
    assert (results["behind"], results["further-behind"]) == (("SUCCEEDED", 2, ""), ("SUCCEEDED", 2, ""))


async def test_every_job_behind_a_stopped_one_is_skipped(scene: Scene) -> None:
    """RQ does not run those that allow a failure either."""
    allowing = "job(work, depends_on=Dependency('long', allow_failure=True))"
    await scene.enqueue("rq", f"progress.run('b', [job(hangs, job_id='long'), {allowing}])")
    async with scene.worker(*worker(scene.redis_url)):
        await eventually(lambda: scene.redis.exists("hangs"))
        send_stop_job_command(scene.redis, "long")
        assert await scene.completed("b") == (0, 0, 2)


async def test_a_job_runs_once_what_it_depends_on_has_succeeded(scene: Scene) -> None:
    """In whatever order they are enqueued."""
    chain = "job(work, depends_on='second', job_id='third'), job(work, depends_on='first', job_id='second')"
    await scene.enqueue("rq", f"progress.run('b', [{chain}, job(work, job_id='first')])")
    assert {status_of(scene.redis, one) for one in ("second", "third")} == {JobStatus.DEFERRED}
    async with scene.worker(*worker(scene.redis_url, "SimpleProgressWorker"), "--burst") as running:
        await running.ended()
    later = ("SUCCEEDED", SKIPPED_ATTEMPT + 1, "")
    results = {"first": ("SUCCEEDED", 1, ""), "second": later, "third": later}
    assert await scene.results("b") == results


@pytest.mark.parametrize(
    ("has_failed", "blocked"),
    [(True, ["further", "plain"]), (False, ["allowing", "behind-allowing", "further", "plain"])],
)
def test_all_jobs_that_wait_for_what_never_comes_are_blocked(
    empty_redis: Redis, *, has_failed: bool, blocked: list[str]
) -> None:
    """A job that allows a failure still runs after a failed one, but not after a stopped one."""
    queue, job = Queue(connection=empty_redis), Queue.prepare_data
    both = Dependency(["first", "running"], allow_failure=True)
    queue.enqueue_many([job("len", job_id="first"), job("len", job_id="running"), job("len", job_id="free")])
    queue.enqueue_many(
        [
            job("len", job_id="plain", depends_on="first"),
            job("len", job_id="allowing", depends_on=both),
            job("len", job_id="further", depends_on=Dependency(["plain"], allow_failure=True)),
            job("len", job_id="behind-allowing", depends_on="allowing"),
            job("len", job_id="elsewhere", depends_on="free"),
        ]
    )
    first = Job.fetch("first", empty_redis)
    assert sorted(one.id for one in blocked_by(first, has_failed=has_failed)) == blocked


async def test_no_jobs_and_repeated_ids_are_refused_before_a_batch_is_changed(scene: Scene) -> None:
    """Such a batch would be complete at once, or never."""
    calls = {
        "run('b', [])": "no jobs for batch 'b'",
        "add('b', (), part='1')": "no jobs for batch 'b'",
        "run('b', [job(work, job_id='one'), job(work), job(work, job_id='one')])": "have the id 'one'",
        "add('b', [job(work, job_id='one')] * 2, part='1')": "have the id 'one'",
    }
    await scene.progress.create("b", 0, sealed=False)
    await scene.refuses("rq", calls)
    assert (await scene.progress.get("b")).revision == 1
    assert not scene.redis.keys("rq:*")
