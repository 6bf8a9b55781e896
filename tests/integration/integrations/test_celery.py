"""Celery: what is reported of each task, by real workers."""

import asyncio
import signal

import pytest
from celery import Celery

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.integrations.scene import KillableScene, Scene, start_of
from tests.support.eventually import eventually

APP = "tests.integration.integrations.jobs_of_celery"
WORKER = ("celery", "--quiet", "-A", APP, "worker", "--pool", "prefork", "-c", "2", "-l", "error")
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")
SOLO = ("celery", "--quiet", "-A", APP, "worker", "--pool", "solo", "-l", "error")
TASKS = 1_037
FAILING = TASKS // 100


ENDS = (
    "add.s(1), fails.s(), retried.s(1), retried.s(9), ignores.s(), rejects.s(), replaced.s(), "
    "add.s(1).set(expires=-1), killed.s(), hangs.s(), starts_others.s(), app.signature('nobody')"
)
CANVAS = (
    "chain(add.s(1), add.s(), add.s()),"  # 3 succeed
    "chain(add.s(1), fails.s(), add.s(), add.s()),"  # 1 succeeds, 1 fails, 2 are skipped
    "chord([add.s(1), add.s(2)], add.s()),"  # 3 succeed
    "chord([add.s(1), fails.s()], add.s() | add.s()),"  # 1, 1, 2
    "chain(fails.s(), group(add.s(), add.s()), add.s())"  # 0, 1, 3
)


async def test_every_end_of_a_task_becomes_an_outcome(scene: Scene) -> None:
    """Tasks that depend on a failed task are skipped: the rest of its chain, the body of its chord."""
    async with scene.worker(*WORKER, *QUIET) as worker:
        # The relay starts before the first pool process, and before there is any task.
        processes = await worker.has_processes(3)
        pool = await scene.celery_pool()
        (relay,) = set(processes) - pool
        assert all(start_of(relay) < start_of(one) for one in pool)
        await scene.enqueue(
            "celery", f"progress.run('b', group({ENDS})); progress.run('canvas', group({CANVAS}))"
        )
        assert await scene.completed("canvas") == (8, 3, 7)
        assert await scene.completed("b") == (4, 5, 3)
    details = await scene.details("b")
    assert "in fails\n" in details["KeyError"]
    assert details["KeyError"].endswith("KeyError: 'row'\n")
    assert "ConnectionError: " in details["ConnectionError"]
    tasks = ("fails", "retried", "ignores", "rejects", "killed", "hangs", "starts_others", "add")
    assert await scene.names("b") == {*(f"{APP}.{name}" for name in tasks), "nobody"}
    assert await scene.names("canvas") == {f"{APP}.add", f"{APP}.fails"}
    assert await scene.outcomes("b") == sorted(
        [
            ("SUCCEEDED", 1, ""),  # add
            ("SUCCEEDED", 2, ""),  # replaced: what ends for a task is its next attempt
            ("SUCCEEDED", 1, ""),  # starts_others; what it starts is not counted
            ("SUCCEEDED", 2, ""),  # retried once
            ("FAILED", 1, "KeyError"),
            ("FAILED", 3, "ConnectionError"),  # retried in vain
            ("FAILED", 1, "billiard.exceptions.WorkerLostError"),
            ("FAILED", 1, "billiard.exceptions.TimeLimitExceeded"),
            ("FAILED", 1, "celery.exceptions.NotRegistered"),
            ("SKIPPED", 1, ""),  # ignored
            ("SKIPPED", 1, ""),  # rejected
            ("SKIPPED", 1, ""),  # expired
        ]
    )


async def test_a_killed_worker_and_a_killed_server_lose_no_report(killable: KillableScene) -> None:
    """1,037 tasks; the worker is killed with all its processes, the server too."""
    await killable.enqueue("celery", f"progress.run('b', group(work.s(n) for n in range({TASKS})))")
    async with killable.worker(*WORKER, *QUIET) as worker:
        await killable.until("b", TASKS // 4)
        await killable.servers.end(0, signal.SIGKILL)
        # Tasks go on without the server; their reports wait in memory and in the spool.
        await killable.celery_results(TASKS // 2)
        worker.kill()
    async with killable.worker(*WORKER, *QUIET):
        await killable.servers.start(0)
        # Exactly Celery's own results. Sometimes Celery loses a task: one that the worker had popped from
        # Redis but not yet noted as unacknowledged when it was killed.
        states = await killable.as_celery_has_it("b")
    assert states.total() == TASKS
    assert states["PENDING"] <= 1
    # Only the tasks that were to fail have failed.
    assert FAILING - states["PENDING"] <= states["FAILURE"] <= FAILING


async def test_a_retry_that_is_reported_is_superseded(scene: Scene) -> None:
    """With report_retries, a failed attempt counts as failed until the next one replaces it."""
    await scene.progress.create("b", 0, sealed=False)
    await scene.enqueue("celery", "progress.add('b', retried.s(1).set(countdown=0), part='1')")
    async with scene.worker(*WORKER, *QUIET, TEST_REPORT_RETRIES="1", TEST_RETRY_SECONDS="1"):
        failed = await scene.until("b", 1)
        assert (failed.succeeded_jobs, failed.failed_jobs) == (0, 1)
        await scene.until_succeeded("b", 1)
    assert await scene.outcomes("b") == [("SUCCEEDED", 2, "")]


ROWS = "[(number,) for number in range(4)]"
CANVASES = {
    f"chain(add.si(1), chunks(work.s(), {ROWS}, 2), add.si(2))": 4,
    f"chain(chunks(work.s(), {ROWS}, 2), add.si(2), add.si(3))": 4,
    f"chord([add.si(1)], chunks(work.s(), {ROWS}, 2))": 3,
    f"chord([work.map(range(3)), work.starmap({ROWS})], add.si(2))": 3,
    "chain(add.si(1), work.starmap(((1,), (2,))), add.si(2))": 3,
    "chain(group(add.si(1), add.si(2)), group(add.si(3), add.si(4)), add.si(5))": 5,
    "chain(add.si(1), group(), add.si(2))": 2,
    "chord([chord([add.si(1), add.si(2)], add.si(3)), add.si(4)], add.si(5))": 5,
    "chord([add.si(1)], chain(add.si(3), group(add.si(4), add.si(5)), add.si(6)))": 5,
    "chord([], add.si(1))": 1,
    "group(group(), group(add.si(1), group(add.si(2))), add.si(3))": 3,
    f"Signature.from_dict(json.loads(json.dumps(group(chunks(work.s(), {ROWS}, 2), add.si(1)))))": 3,
}
"""The number of tasks of each."""


async def test_a_batch_of_any_canvas_is_complete_when_its_last_task_is(scene: Scene) -> None:
    """Each of its tasks is a message, and has succeeded by then."""
    calls = ";".join(f"progress.run('{number}', {canvas})" for number, canvas in enumerate(CANVASES))
    await scene.enqueue("celery", calls)
    async with scene.worker(*SOLO, *QUIET):
        for number, tasks in enumerate(CANVASES.values()):
            assert await scene.completed(str(number)) == (tasks, 0, 0)
            assert scene.celery_states(str(number)) == {"SUCCESS": tasks}


async def test_an_empty_canvas_is_refused_before_its_batch_is_created(scene: Scene) -> None:
    """It would complete at once, or be cut off from its tasks."""
    await scene.progress.create("grown", 0, sealed=False)
    calls = ("run('b', group())", "run('b', chunks(work.s(), [], 2))", "add('grown', group(), part='1')")
    await scene.refuses("celery", dict.fromkeys(calls, "no jobs"))
    batches = (await scene.progress.stub.ListBatches(pb.ListBatchesRequest())).batches
    assert [(one.batch_id, one.revision) for one in batches] == [("grown", 1)]


async def test_a_batch_grows_while_it_is_worked_on(scene: Scene) -> None:
    """Parts are added to an unsealed batch; a part that is added again is counted once."""
    source = (
        "progress.batches.create('b', 0, sealed=False);"
        "[progress.add('b', group(work.s(1) for _ in range(20)), part=part) for part in ('1', '2', '2')];"
        "progress.batches.seal('b')"
    )
    await scene.enqueue("celery", source)
    async with scene.worker(*WORKER, *QUIET):
        assert await scene.completed("b") == (40, 0, 0)


async def test_tasks_run_without_a_server_and_are_reported_at_the_end(killable: KillableScene) -> None:
    """They are published and succeed; a worker that ends flushes their reports, which are in no spool."""
    await killable.enqueue("celery", "progress.run('b', group(add.s(number) for number in range(50)))")
    await killable.servers.end(0, signal.SIGKILL)
    hurried = "progress.batches = BestEffortClient(progress.batches._connection, strict=False, timeout=0.1)"
    later = f"{hurried}; progress.run('later', group(add.s(1), add.s(2)));"
    more = "progress.add('more', add.s(1), part='1')"
    await killable.enqueue("celery", f"{later} {more}")
    async with killable.worker(*WORKER, *QUIET, TEST_SPOOL="") as worker:
        await killable.celery_results(53)
        await killable.servers.start(0)
        await worker.end()
    assert await killable.completed("b") == (50, 0, 0)
    assert killable.celery_states("later") == {"SUCCESS": 2}


async def test_eager_tasks_are_reported_too(scene: Scene) -> None:
    """With task_always_eager, retries and failures are reported as in a worker, and flushed at the exit."""
    eager = "app.conf.task_always_eager = True"
    tasks = "add.s(1), fails.s(), retried.s(1), ignores.s()"
    await scene.enqueue("celery", f"{eager}; progress.run('b', group({tasks}))")
    assert await scene.outcomes("b") == [
        ("FAILED", 1, "KeyError"),
        ("SKIPPED", 1, ""),
        ("SUCCEEDED", 1, ""),
        ("SUCCEEDED", 2, ""),
    ]


async def test_a_replaced_or_requeued_task_is_reported_once_it_has_ended(scene: Scene) -> None:
    """Task.replace ends by Ignore, and Reject may put a task back: neither skips the task."""
    await scene.enqueue("celery", "progress.run('b', group(replaced.s(), rejects_once.s(), rejects.s()))")
    async with scene.worker(*SOLO, *QUIET):
        assert await scene.completed("b") == (2, 0, 1)


async def test_a_task_that_has_replaced_itself_is_pending_until_the_other_one_has_ended(scene: Scene) -> None:
    """A worker reports in order: what it reports of the task itself would be counted before the next task."""
    await scene.enqueue("celery", "progress.run('b', group(replaced_by_blocking.s(), add.s(1)))")
    async with scene.worker(*SOLO, *QUIET):
        await eventually(lambda: scene.redis.get("blocking") == b"1")
        batch = await scene.until("b", 1)
        assert (batch.succeeded_jobs, batch.skipped_jobs, batch.pending_jobs) == (1, 0, 1)


async def test_a_task_that_is_requeued_after_its_time_limit_is_pending(scene: Scene) -> None:
    """It has not failed: Celery runs it again."""
    await scene.enqueue("celery", "progress.run('b', hangs_once.s())")
    async with scene.worker(*WORKER, *QUIET):
        assert await scene.completed("b") == (1, 0, 0)


async def test_a_task_that_is_replaced_by_a_canvas_ends_with_it(scene: Scene) -> None:
    """If a task of the canvas fails, so has the replaced one."""
    tasks = "replaced_by_chain.s(), replaced_by_group.s(), replaced_by_failing_chain.s()"
    await scene.enqueue(
        "celery", f"progress.run('b', group({tasks}, chain(replaced_by_chain.s(), add.si(3))))"
    )
    async with scene.worker(*SOLO, *QUIET):
        assert await scene.completed("b") == (4, 1, 0)


async def test_attempts_go_on_when_a_task_replaces_itself(scene: Scene) -> None:
    """The attempt of the task that ends for it replaces the failed one."""
    await scene.progress.create("b", 0, sealed=False)
    await scene.enqueue("celery", "progress.add('b', replaced_after_retry.s(), part='1')")
    async with scene.worker(*SOLO, *QUIET, TEST_REPORT_RETRIES="1"):
        await scene.until_succeeded("b", 1)
    assert await scene.outcomes("b") == [("SUCCEEDED", 3, "")]


async def test_revoked_tasks_are_skipped_before_and_while_they_run(scene: Scene) -> None:
    await scene.enqueue("celery", "progress.run('b', group(blocks.s() for _ in range(3)))")
    async with scene.worker(*WORKER, *QUIET):
        await eventually(lambda: scene.redis.get("blocking") == b"2")
        control = Celery(broker=scene.redis_url).control
        await asyncio.to_thread(control.revoke, scene.celery_ids("b"), terminate=True)
        assert await scene.completed("b") == (0, 0, 3)


@pytest.mark.parametrize("pool", ["threads", "prefork --max-tasks-per-child 3"])
async def test_threads_and_processes_that_are_replaced_report_each_task(scene: Scene, pool: str) -> None:
    await scene.enqueue("celery", "progress.run('b', group(*[add.s(1) for _ in range(20)], fails.s()))")
    command = ("celery", "--quiet", "-A", APP, "worker", "--pool", *pool.split(), "-c", "2", "-l", "error")
    async with scene.worker(*command, *QUIET):
        assert await scene.completed("b") == (20, 1, 0)
