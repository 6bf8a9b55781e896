"""Celery: what each event becomes, in real workers with the prefork pool."""

import asyncio
import signal

from tests.integration.integrations.scene import Scene

APP = "tests.integration.integrations.jobs_of_celery"
WORKER = ("celery", "--quiet", "-A", APP, "worker", "--pool", "prefork", "-c", "2", "-l", "error")
LOST = ("--without-gossip", "--without-mingle", "--without-heartbeat")


async def test_every_end_of_a_task_becomes_an_outcome(scene: Scene) -> None:
    """Success, failure, retries, Ignore, Reject, replace, expiry, a lost process, a time limit, no such task."""
    tasks = (
        "add.s(1), fails.s(), retried.s(1), retried.s(9), ignores.s(), rejects.s(), replaced.s(), "
        "add.s(1).set(expires=-1), killed.s(), hangs.s(), starts_others.s(), app.signature('nobody')"
    )
    await scene.enqueue("celery", f"progress.run('b', group({tasks}))")
    async with scene.worker(*WORKER, *LOST):
        assert await scene.completed("b") == (4, 5, 3)
    assert await scene.kinds("b") == sorted(
        [
            ("SUCCEEDED", 1, ""),  # add
            ("SUCCEEDED", 1, ""),  # replaced
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


async def test_what_waits_for_a_task_that_fails_is_skipped(scene: Scene) -> None:
    """The body of a chord, the rest of a chain, and what comes after both, in canvases within canvases."""
    canvas = (
        "group("
        "chain(add.s(1), add.s(), add.s()),"  # 3 succeed
        "chain(add.s(1), fails.s(), add.s(), add.s()),"  # 1 succeeds, 1 fails, 2 are skipped
        "chord([add.s(1), add.s(2)], add.s()),"  # 3 succeed
        "chord([add.s(1), fails.s()], add.s() | add.s()),"  # 1, 1, 2
        "chain(fails.s(), group(add.s(), add.s()), add.s())"  # 0, 1, 3
        ")"
    )
    await scene.enqueue("celery", f"progress.run('b', {canvas})")
    async with scene.worker(*WORKER, *LOST):
        assert await scene.completed("b") == (8, 3, 7)
