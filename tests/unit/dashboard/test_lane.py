"""Calls take turns."""

import asyncio
from functools import partial

import pytest

from services.dashboard import lane
from services.dashboard.errors import Busy
from services.dashboard.lane import Lane


async def test_calls_take_turns_in_their_order() -> None:
    calls, running, order = Lane(1, 3), set[int](), list[int]()

    async def call(number: int) -> None:
        order.append(number)
        running.add(number)
        await asyncio.sleep(0)
        assert running == {number}
        running.clear()

    await asyncio.gather(*(calls.admit(partial(call, number)) for number in range(4)))
    assert order == [0, 1, 2, 3]


async def test_calls_beyond_the_limit_are_refused_at_once() -> None:
    """Even those that come before any other has begun to wait."""
    calls = Lane(1, 1)
    admitted = [calls.admit(_nothing) for _ in range(2)]
    with pytest.raises(Busy):
        await calls.admit(_nothing)
    await asyncio.gather(*admitted)
    await calls.admit(_nothing)


async def test_a_call_that_waits_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place in the line is free again."""
    monkeypatch.setattr(lane, "WAIT_SECONDS_MAX", 0.01)
    calls, may_end = Lane(1, 1), asyncio.Event()
    first = asyncio.create_task(calls.admit(may_end.wait))
    await asyncio.sleep(0)
    for _ in range(3):
        with pytest.raises(Busy):
            await calls.admit(_nothing)
    may_end.set()
    await first
    await calls.admit(_nothing)


async def test_a_call_that_fails_frees_its_turn() -> None:
    calls = Lane(1, 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await calls.admit(_fail)


async def _nothing() -> None:
    pass


async def _fail() -> None:
    raise ZeroDivisionError
