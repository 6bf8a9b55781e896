"""How a pass is stopped."""

import asyncio

import pytest

from reconciler.run.deadline import Deadline, StopReason

PASS_SECONDS = 60
TEST_SECONDS_MAX = 10


async def wait_forever(deadline: Deadline, stop_reason: StopReason | None = None) -> None:
    """Do work that does not end; stop the pass meanwhile if a reason is given."""
    async with deadline.limit():
        if stop_reason is not None:
            deadline.stop(stop_reason)
        await asyncio.Event().wait()


async def test_only_the_first_reason_to_stop_is_kept() -> None:
    """What stops a pass also causes other failures, which must not hide it."""
    deadline = Deadline(PASS_SECONDS)
    deadline.stop(StopReason.SIGNAL)
    deadline.stop(StopReason.DATABASE_UNAVAILABLE)
    deadline.close()
    assert deadline.stop_reason is StopReason.SIGNAL


async def test_work_in_progress_is_abandoned_a_while_after_the_stop() -> None:
    """Before the stop, its time was not limited."""
    deadline = Deadline(PASS_SECONDS, finish_seconds_max=0.01)
    async with asyncio.timeout(TEST_SECONDS_MAX):
        with pytest.raises(TimeoutError):
            await wait_forever(deadline, StopReason.SIGNAL)
    deadline.close()


async def test_work_that_begins_after_the_stop_is_limited_too() -> None:
    """An example is the report about the batch that was in progress."""
    deadline = Deadline(PASS_SECONDS, finish_seconds_max=0.01)
    deadline.stop(StopReason.SIGNAL)
    async with asyncio.timeout(TEST_SECONDS_MAX):
        with pytest.raises(TimeoutError):
            await wait_forever(deadline)
    deadline.close()
