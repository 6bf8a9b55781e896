"""The ids that the change feed reads before its next tick."""

import asyncio

import pytest

from services.progress.pending_ids import PendingIds

SECONDS_MAX = 10.0
LONG_SECONDS = 3_600.0


async def turns() -> None:
    """Let all tasks run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_ids_are_popped_once() -> None:
    """An id that was added twice is popped once."""
    pending = PendingIds()
    pending.add(["a", "b"])
    pending.add(["a"])
    assert pending.pop_all() == {"a", "b"}
    assert pending.pop_all() == set()


async def test_wait_returns_when_an_id_is_added_or_the_time_is_over() -> None:
    pending = PendingIds()
    async with asyncio.timeout(SECONDS_MAX):
        await pending.wait(0)
        waiting = asyncio.create_task(pending.wait(LONG_SECONDS))
        await turns()
        assert not waiting.done()
        pending.add(["a"])
        await waiting


@pytest.mark.parametrize("before", ["nothing", "popped ids", "an empty list"])
async def test_wait_does_not_return_without_ids(before: str) -> None:
    """Otherwise the feed would read in every turn of the event loop."""
    pending = PendingIds()
    if before == "popped ids":
        pending.add(["a"])
        pending.pop_all()
    elif before == "an empty list":
        pending.add([])
    waiting = asyncio.create_task(pending.wait(LONG_SECONDS))
    await turns()
    assert not waiting.done()
    waiting.cancel()
