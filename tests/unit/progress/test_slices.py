"""How long work gives way to other calls."""

import asyncio
import time

from services.progress.slices import FEW_ITEMS_MAX, ITEMS_AT_ONCE, SLICE_SECONDS, Slices


def busy(item: int) -> int:
    """Work for a slice."""
    end = time.perf_counter() + SLICE_SECONDS
    while time.perf_counter() < end:
        pass
    return -item


async def test_long_work_lets_other_calls_run_between_its_slices() -> None:
    slices, done = Slices(), list[int]()

    def work(item: int) -> None:
        done.append(busy(item))

    task = asyncio.create_task(slices.each(work, range(2 * FEW_ITEMS_MAX)))
    while not done:  # noqa: ASYNC110  # one turn of the event loop after the other
        await asyncio.sleep(0)
    assert len(done) == ITEMS_AT_ONCE
    await task
    assert done == [-item for item in range(2 * FEW_ITEMS_MAX)]


async def test_slices_of_several_calls_alternate() -> None:
    """Between two turns of the event loop there is one slice, however many calls have work."""
    slices, calls = Slices(), list[str]()

    def work_of(call: str) -> None:
        calls.append(call)
        busy(0)

    async def work(call: str) -> None:
        await slices.each(work_of, [call] * 2 * FEW_ITEMS_MAX)

    await asyncio.gather(work("a"), work("b"))
    assert calls[: 4 * ITEMS_AT_ONCE : ITEMS_AT_ONCE] == ["a", "b", "a", "b"]


async def test_few_items_wait_for_nobody() -> None:
    slices = Slices()
    task = asyncio.create_task(slices.each(busy, range(2 * FEW_ITEMS_MAX)))
    await asyncio.sleep(0)
    assert await slices.each(lambda item: item + 1, range(3)) == [1, 2, 3]
    assert not task.done()
    await task
