"""What is reported of an asyncio job that is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from batchprogress._reporting.job import Cancelled
from tests.unit.client.collected import FAILED, Collected

FOR_EVER = 3_600.0
SOON = 0.01


async def hang(reporter: Collected) -> None:
    """Run a job that does not end by itself."""
    with reporter.job("a"):
        await asyncio.sleep(FOR_EVER)


async def cancelled_by_its_worker(reporter: Collected) -> None:
    """Cancel the task of the job, as a worker that shuts down or arq's job_timeout."""
    task = asyncio.create_task(hang(reporter))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def cancelled_as_a_future(reporter: Collected) -> None:
    """Cancel the task that a decorated function has returned."""
    task = reporter.reports(lambda: "a")(lambda: asyncio.create_task(asyncio.sleep(FOR_EVER)))()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("cancel", [cancelled_by_its_worker, cancelled_as_a_future])
@pytest.mark.parametrize(("cancelled", "reported"), [("pending", []), ("failed", [("a", FAILED, 1)])])
async def test_a_job_whose_task_is_cancelled_is_what_the_reporter_says(
    cancel: Callable[[Collected], Awaitable[None]],
    cancelled: Cancelled,
    reported: list[tuple[str, int, int]],
) -> None:
    """Nobody can know whether its queue will run it again."""
    reporter = Collected(cancelled=cancelled)
    await cancel(reporter)
    await asyncio.sleep(0)
    assert reporter.reported == reported


async def test_a_call_may_say_it_instead_of_the_reporter() -> None:
    reporter = Collected()

    @reporter.reports(lambda: "a", cancelled="failed")
    async def work() -> None:
        with reporter.job("b", cancelled="failed"):
            await asyncio.sleep(FOR_EVER)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reporter.reported == [("b", FAILED, 1), ("a", FAILED, 1)]
    assert reporter.all[0].error_type == "asyncio.exceptions.CancelledError"


def test_any_other_word_is_refused() -> None:
    with pytest.raises(ValueError, match="'failed' or 'pending'"):
        Collected(cancelled="skipped")  # type: ignore[arg-type]


async def time_limit_inside(reporter: Collected) -> None:
    """Limit a part of the job."""
    with reporter.job("a"):
        async with asyncio.timeout(SOON):
            await asyncio.sleep(FOR_EVER)


async def time_limit_around(reporter: Collected) -> None:
    """Limit the job from the same task: the job itself sees CancelledError."""
    async with asyncio.timeout(SOON):
        await hang(reporter)


async def cancelled_child(reporter: Collected) -> None:
    """Await a task that somebody else has cancelled."""
    child = asyncio.create_task(asyncio.sleep(FOR_EVER))
    child.cancel()
    with reporter.job("a"):
        await child


async def raised_by_the_job(reporter: Collected) -> None:
    """Give up without any task being cancelled."""
    with reporter.job("a"):
        raise asyncio.CancelledError


@pytest.mark.parametrize("end", [time_limit_inside, time_limit_around, cancelled_child, raised_by_the_job])
async def test_a_job_that_is_known_to_have_failed_needs_no_setting(
    end: Callable[[Collected], Awaitable[None]],
) -> None:
    """Its own CancelledError, and a time limit in its own task."""
    reporter = Collected()
    with pytest.raises((asyncio.CancelledError, TimeoutError)):
        await end(reporter)
    await asyncio.sleep(0)
    assert reporter.reported == [("a", FAILED, 1)]


async def test_a_time_limit_in_a_task_that_is_also_cancelled_changes_nothing() -> None:
    """Only the time limit's own request is withdrawn; the worker's is not."""
    reporter = Collected()

    async def limited() -> None:
        async with asyncio.timeout(FOR_EVER):
            await hang(reporter)

    task = asyncio.create_task(limited())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert reporter.all == []


def test_a_cancelled_error_outside_any_event_loop_is_a_failure() -> None:
    reporter = Collected()
    with pytest.raises(asyncio.CancelledError), reporter.job("a"):
        raise asyncio.CancelledError
    assert reporter.reported == [("a", FAILED, 1)]
