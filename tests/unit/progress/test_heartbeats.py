"""Heartbeats: a watch that asks for them is never silent for longer."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, aclosing

import pytest

from services.progress import heartbeats
from services.progress.flag import Flag
from services.progress.heartbeats import Heartbeats
from services.progress.wakes import Wakes
from services.progress.watch import Snapshot
from tests.unit.progress.test_watch_hub import CANCELLED, PROCESSING, SECONDS_MAX, Feed, turns

INTERVAL = 0.05


@pytest.fixture(autouse=True)
def _short_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "TICK_SECONDS", INTERVAL / 10)


Watching = AsyncGenerator[Snapshot | None, None]


def watch(feed: Feed, heartbeat: float | None, interval: float = 0.0) -> Watching:
    """Return a watch of the batch."""
    return feed.hub.watch("b", 0, interval, heartbeat)


async def next_of(watching: Watching) -> int | None:
    """Return the next revision, or None for a heartbeat."""
    async with asyncio.timeout(SECONDS_MAX):
        snapshot = await anext(watching)
    return None if snapshot is None else snapshot.batch.revision


async def test_quiet_watch_has_heartbeats_between_its_states() -> None:
    feed = Feed()
    async with aclosing(watch(feed, INTERVAL)) as watching:
        began = time.monotonic()
        assert [await next_of(watching), await next_of(watching)] == [None, None], (
            "before the first read, too"
        )
        feed.found(PROCESSING, 1)
        assert await next_of(watching) == 1
        assert await next_of(watching) is None
        assert time.monotonic() - began >= 3 * INTERVAL
        feed.found(CANCELLED, 2)
        assert await next_of(watching) == 2
        with pytest.raises(StopAsyncIteration):
            await anext(watching)


async def test_heartbeats_go_on_while_states_are_held_back() -> None:
    """The least time between two states may be longer than the interval of heartbeats."""
    feed = Feed()
    async with aclosing(watch(feed, INTERVAL, interval=3_600)) as watching:
        feed.hub.deliver(0, ["b"], [], [])
        waiting = asyncio.create_task(next_of(watching))
        await turns()
        feed.found(PROCESSING, 1)
        assert await waiting == 1
        feed.found(PROCESSING, 2)
        assert await next_of(watching) is None
        feed.found(CANCELLED, 3)
        assert await next_of(watching) == 3


async def test_watch_without_an_interval_has_no_heartbeats() -> None:
    feed = Feed()
    async with aclosing(watch(feed, None)) as quiet, aclosing(watch(feed, INTERVAL)) as watching:
        waiting = asyncio.create_task(next_of(quiet))
        for _ in range(3):
            assert await next_of(watching) is None
        assert not waiting.done()
        feed.found(PROCESSING, 1)
        assert await waiting == 1


async def test_heartbeat_comes_an_interval_after_the_last_state() -> None:
    """A watch that sends states all the time sends nothing else."""
    feed = Feed()
    async with aclosing(watch(feed, INTERVAL)) as watching:
        waiting = asyncio.create_task(next_of(watching))
        await asyncio.sleep(INTERVAL / 2)
        feed.found(PROCESSING, 1)
        if await waiting is None:  # the machine is busy: a heartbeat came first
            assert await next_of(watching) == 1
        received = time.monotonic()
        assert await next_of(watching) is None
        assert time.monotonic() - received >= INTERVAL


@pytest.fixture
def contexts() -> Iterator[ExitStack]:
    """Yield a stack for the contexts of heartbeats."""
    with ExitStack() as stack:
        yield stack


async def test_watches_that_begin_together_are_not_woken_together(
    monkeypatch: pytest.MonkeyPatch, contexts: ExitStack
) -> None:
    """Thousands of heartbeats in one turn of the event loop would delay every report; none is left out."""
    monkeypatch.setattr(heartbeats, "WAKES_PER_TICK_MAX", 10)
    wheel, flags = Heartbeats(), [Flag(Wakes()) for _ in range(100)]
    for flag in flags:
        contexts.enter_context(wheel.of_watch(flag, INTERVAL))
    most = 0
    async with asyncio.timeout(SECONDS_MAX):
        while not all(flag.is_set() for flag in flags):
            before = sum(flag.is_set() for flag in flags)
            await asyncio.sleep(0)
            most = max(most, sum(flag.is_set() for flag in flags) - before)
    assert 0 < most <= 10


async def test_timer_runs_only_while_there_are_watches() -> None:
    wheel = Heartbeats()
    for interval in (INTERVAL, None):
        with wheel.of_watch(Flag(Wakes()), interval):
            assert wheel.is_running == (interval is not None)
        assert not wheel.is_running
