"""RQ: what is reported of each job, by real workers."""

import os
import signal

import pytest
from redis import Redis
from rq import Queue
from rq.command import send_stop_job_command
from rq.registry import FailedJobRegistry

from batchprogress.integrations.rq_jobs import attempt_of, count_attempt, enqueue, tagged
from tests.integration.integrations.scene import KillableScene, Scene
from tests.support.eventually import eventually

JOBS = "tests.integration.integrations.jobs_of_rq"


def worker(redis_url: str, kind: str = "ProgressWorker") -> tuple[str, ...]:
    """Return the command of a worker."""
    return ("rq.cli", "worker", "--quiet", "--url", redis_url, "--worker-class", f"{JOBS}.{kind}")


async def test_every_end_of_a_job_becomes_an_outcome(scene: Scene) -> None:
    """Among them both kinds of retries and a killed work-horse."""
    jobs = (
        "job(work), job(fails), job(retried, (1,), retry=Retry(max=2)),"
        "job(retried, (9,), retry=Retry(max=2)), job(returns_retry, (1,)), job(killed), job(work)"
    )
    await scene.enqueue("rq", f"progress.run('b', [{jobs}])")
    async with scene.worker(*worker(scene.redis_url)):
        assert await scene.completed("b") == (3, 4, 0)
    functions = ("work", "fails", "retried", "returns_retry", "killed")
    details = await scene.details("b")
    assert "in fails\n" in details["KeyError"]
    assert details["KeyError"].endswith("KeyError: 'row'\n")
    assert "ConnectionError: " in details["ConnectionError"]
    assert await scene.names("b") == {f"{JOBS}.{name}" for name in functions}
    assert await scene.outcomes("b") == sorted(
        [
            ("SUCCEEDED", 1, ""),
            ("SUCCEEDED", 1, ""),
            ("SUCCEEDED", 2, ""),  # retried once
            ("FAILED", 1, "KeyError"),
            ("FAILED", 3, "ConnectionError"),  # retried in vain
            ("FAILED", 2, "RetriesExceeded"),
            ("FAILED", 1, "Work-horse terminated unexpectedly"),
        ]
    )


async def test_a_stopped_job_is_skipped(scene: Scene) -> None:
    """A person who stops a job has cancelled it."""
    await scene.enqueue("rq", "progress.run('b', [job(hangs, job_id='long')])")
    async with scene.worker(*worker(scene.redis_url)):
        await eventually(lambda: scene.redis.exists("hangs"))
        send_stop_job_command(scene.redis, "long")
        assert await scene.completed("b") == (0, 0, 1)


async def test_a_failed_job_that_is_requeued_is_superseded(scene: Scene) -> None:
    """The run after `rq requeue` is the next attempt: it changes the tallies even of a completed batch."""
    await scene.enqueue("rq", "progress.run('b', [job(retried, (1,))])")
    async with scene.worker(*worker(scene.redis_url)):
        assert await scene.completed("b") == (0, 1, 0)
        queue = Queue(connection=scene.redis)
        failed = FailedJobRegistry(queue=queue)
        await eventually(failed.get_job_ids)
        failed.requeue(failed.get_job_ids()[0])
        await scene.until_succeeded("b", 1)
    assert await scene.outcomes("b") == [("SUCCEEDED", 2, "")]


def test_the_first_run_after_a_failure_without_a_run_is_the_second_attempt(empty_redis: Redis) -> None:
    """RQ fails a job whose worker died before it had started the job; it may be run again by hand."""
    queue = Queue(connection=empty_redis)
    (lost,) = enqueue(queue, "b", tagged("b", [Queue.prepare_data("len")]))
    assert [attempt_of(lost), attempt_of(lost), count_attempt(lost)] == [1, 1, 2]


async def test_a_killed_relay_is_replaced_once(scene: Scene) -> None:
    """The worker replaces it before it forks again; work-horses do not."""
    async with scene.worker(*worker(scene.redis_url)) as running:
        (relay,) = await running.has_processes(1)
        await eventually(lambda: scene.redis.exists("senders"))
        os.kill(relay, signal.SIGKILL)
        await running.has_processes(0)
        await scene.enqueue("rq", "progress.run('b', [job(work) for _ in range(20)])")
        assert await scene.completed("b") == (20, 0, 0)
        await running.has_processes(1)
    assert scene.redis.get("senders") == b"2"


async def test_a_simple_worker_reports_without_a_relay(scene: Scene) -> None:
    """It does not fork, and flushes at its end."""
    await scene.enqueue("rq", "progress.run('b', [job(work) for _ in range(50)] + [job(fails)])")
    command = worker(scene.redis_url, "SimpleProgressWorker")
    async with scene.worker(*command, "--burst"):
        assert await scene.completed("b") == (50, 1, 0)


@pytest.mark.parametrize("is_killed", [False, True])
async def test_jobs_go_on_without_a_server_and_are_counted_when_it_is_back(
    killable: KillableScene, *, is_killed: bool
) -> None:
    """No job waits or fails. A worker that ends flushes; a killed one leaves its reports in the spool."""
    await killable.enqueue("rq", "progress.run('b', [job(work) for _ in range(15)])")
    await killable.servers.end(0, signal.SIGKILL)
    queue = Queue(connection=killable.redis)
    async with killable.worker(
        *worker(killable.redis_url), TEST_SPOOL=str(killable.spool) if is_killed else ""
    ) as first:
        await eventually(lambda: queue.finished_job_registry.count >= 15)
        if is_killed:
            first.kill()
        await killable.servers.start(0)
        if not is_killed:
            await first.end()
            assert await killable.completed("b") == (15, 0, 0)
    if is_killed:
        async with killable.worker(*worker(killable.redis_url)):
            assert await killable.completed("b") == (15, 0, 0)
    assert queue.failed_job_registry.count == 0


async def test_a_job_that_waits_for_its_retry_is_pending(scene: Scene) -> None:
    """Its failed attempt is not reported."""
    await scene.enqueue("rq", "progress.run('b', [job(fails, retry=Retry(max=1, interval=60))])")
    async with scene.worker(*worker(scene.redis_url, "SimpleProgressWorker"), "--burst") as running:
        await running.ended()
    assert (await scene.progress.get("b")).pending_jobs == 1


async def test_a_job_that_returns_retry_too_often_has_failed(scene: Scene) -> None:
    """It is reported as failed at its last attempt, not before."""
    await scene.enqueue("rq", "progress.run('b', [job(returns_retry, (2,))])")
    async with scene.worker(*worker(scene.redis_url, "SimpleProgressWorker"), "--burst") as running:
        await running.ended()
    assert await scene.outcomes("b") == [("FAILED", 3, "RetriesExceeded")]


async def test_spawned_jobs_report_through_the_relay_of_their_worker(killable: KillableScene) -> None:
    """Their reports outlive them while the server is away."""
    await killable.enqueue("rq", "progress.run('b', [job(work) for _ in range(2)])")
    await killable.servers.end(0, signal.SIGKILL)
    queue = Queue(connection=killable.redis)
    command = worker(killable.redis_url, "SpawnProgressWorker")
    async with killable.worker(*command, TEST_SPOOL="") as running:
        await eventually(lambda: queue.finished_job_registry.count >= 2)
        await killable.servers.start(0)
        await running.end()
    assert await killable.completed("b") == (2, 0, 0)
    assert killable.redis.get("senders") == b"1"
