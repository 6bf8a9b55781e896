"""How many watches are woken at once."""

import asyncio
from collections.abc import Sequence
from typing import Any

from services.progress.flag import Flag
from services.progress.wakes import WAKES_PER_TURN, Wakes
from tests.unit.progress.test_watch_hub import PROCESSING, SECONDS_MAX, Feed, next_of

WATCHES = 5 * WAKES_PER_TURN


async def most_done_in_a_turn(tasks: Sequence[asyncio.Task[Any]]) -> int:
    """Wait for all tasks, and return how many were done at most between two turns of the event loop."""
    most = 0
    async with asyncio.timeout(SECONDS_MAX):
        while not all(task.done() for task in tasks):
            before = sum(task.done() for task in tasks)
            await asyncio.sleep(0)
            most = max(most, sum(task.done() for task in tasks) - before)
    return most


async def test_few_watches_are_woken_in_a_turn() -> None:
    """Whatever else has to be done, such as to record a report, is done between them."""
    wakes, woken = Wakes(), list[int]()

    async def wait(number: int) -> None:
        flag = flags[number]
        await flag.wait()
        woken.append(number)

    flags = [Flag(wakes) for _ in range(WATCHES)]
    tasks = [asyncio.create_task(wait(number)) for number in range(WATCHES)]
    await asyncio.sleep(0)
    for flag in flags:
        flag.set()
    assert await most_done_in_a_turn(tasks) == WAKES_PER_TURN
    assert woken == list(range(WATCHES))


async def test_watches_whose_pauses_end_together_are_not_woken_together() -> None:
    """Their timers are; otherwise watches that once were late would stay together for ever."""
    feed = Feed(WATCHES)
    watches = [feed.watch(interval=0.01) for _ in range(WATCHES)]
    first = [await next_of(watch) for watch in watches]
    feed.found(PROCESSING, 1)
    await asyncio.gather(*first)
    feed.found(PROCESSING, 2)
    second = [await next_of(watch) for watch in watches]
    assert await most_done_in_a_turn(second) <= WAKES_PER_TURN
    for watch in watches:
        await watch.aclose()


async def test_watches_that_are_behind_take_turns() -> None:
    """They do not wait for news; without turns, each would send one state after the other."""
    feed = Feed(WATCHES)
    watches = [feed.watch() for _ in range(WATCHES)]
    first = [await next_of(watch) for watch in watches]
    feed.found(PROCESSING, 1)
    await asyncio.gather(*first)
    feed.found(PROCESSING, 2)
    second = [asyncio.create_task(anext(watch)) for watch in watches]
    assert await most_done_in_a_turn(second) == WAKES_PER_TURN
    for watch in watches:
        await watch.aclose()
