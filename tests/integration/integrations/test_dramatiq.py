"""Dramatiq: what is reported of each message, by real workers."""

from tests.integration.integrations.scene import Scene

BROKER = "tests.integration.integrations.jobs_of_dramatiq"
WORKER = ("dramatiq", BROKER, "--processes", "2", "--threads", "2", "--log-file", "/dev/null")


async def test_every_end_of_a_message_becomes_an_outcome(scene: Scene) -> None:
    """The rest of a pipeline is skipped if one of its messages fails."""
    unknown = "work.message().copy(actor_name='nobody')"
    jobs = (
        "work.message(), fails.message(), retried.message(1), retried.message(9), too_old.message(),"
        f"{unknown}, starts_others.message(), work.message() | work.message(),"
        "fails.message() | work.message() | work.message()"
    )
    await scene.enqueue("dramatiq", f"progress.run('b', group([{jobs}]))")
    async with scene.worker(*WORKER):
        assert await scene.completed("b") == (5, 4, 3)
    actors = {"work", "fails", "retried", "too_old", "nobody", "starts_others"}
    details = await scene.details("b")
    assert "in fails\n" in details["KeyError"]
    assert details["KeyError"].endswith("KeyError: 'row'\n")
    assert "ConnectionError: " in details["ConnectionError"]
    assert await scene.names("b") == actors
    assert await scene.outcomes("b") == sorted(
        [
            ("SUCCEEDED", 1, ""),  # work
            ("SUCCEEDED", 1, ""),  # starts_others; what it sends is not counted
            ("SUCCEEDED", 1, ""),  # a pipeline
            ("SUCCEEDED", 1, ""),
            ("SUCCEEDED", 2, ""),  # retried once
            ("FAILED", 1, "KeyError"),
            ("FAILED", 1, "KeyError"),  # the head of a pipeline
            ("FAILED", 3, "ConnectionError"),  # retried in vain
            ("FAILED", 1, "dramatiq.errors.ActorNotFound"),
            ("SKIPPED", 1, ""),  # too old
            ("SKIPPED", 1, ""),  # the rest of a pipeline
            ("SKIPPED", 1, ""),
        ]
    )


async def test_a_retry_that_is_reported_is_superseded(scene: Scene) -> None:
    """With report_retries, a failed attempt counts as failed until the next one replaces it."""
    await scene.enqueue("dramatiq", "progress.run('b', slowly_retried.message())")
    async with scene.worker(*WORKER, TEST_REPORT_RETRIES="1"):
        failed = await scene.until("b", 1)
        assert (failed.succeeded_jobs, failed.failed_jobs) == (0, 1)
        await scene.until_succeeded("b", 1)
    assert await scene.outcomes("b") == [("SUCCEEDED", 2, "")]


async def test_a_killed_worker_s_messages_are_counted_once(scene: Scene) -> None:
    """Its messages are delivered again; its unsent reports are in the spool."""
    await scene.enqueue("dramatiq", "progress.run('b', group(work.message(n) for n in range(300)))")
    async with scene.worker(*WORKER) as worker:
        await scene.until("b", 100)
        worker.kill()
    async with scene.worker(*WORKER):
        assert await scene.completed("b") == (300, 0, 0)


async def test_a_composition_without_messages_is_refused_before_its_batch_is_changed(scene: Scene) -> None:
    """It would be complete at once."""
    await scene.progress.create("b", 0, sealed=False)
    calls = ("run('b', group([]))", "add('b', group([group([])]), part='1')")
    await scene.refuses("dramatiq", dict.fromkeys(calls, "no jobs"))
    assert (await scene.progress.get("b")).revision == 1
