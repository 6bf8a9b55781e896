"""Decorated functions of every kind are reported when their work is done, not before."""

import asyncio
import contextlib
import functools
import types
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from tests.unit.client.collected import FAILED, SUCCEEDED, Collected


def of_job(_job: str, *_: object) -> str:
    """Return the id of the only job."""
    return "a"


async def divide(number: int, by: int) -> float:
    """Do the work in a coroutine."""
    await asyncio.sleep(0)
    return number / by


class Divider:
    """Does the work in an async __call__."""

    async def __call__(self, number: int, by: int) -> float:
        """Divide."""
        return await divide(number, by)


def logged(number: int, by: int) -> Awaitable[float]:
    """Return a coroutine from a plain function, as many decorators do."""
    return divide(number, by)


@types.coroutine
def generated(number: int, by: int) -> Generator[Any, Any, float]:
    """Do the work in a coroutine of the old kind."""
    return (yield from divide(number, by).__await__())


def started(number: int, by: int) -> "asyncio.Task[float]":
    """Return a task."""
    return asyncio.create_task(divide(number, by))


AWAITED = [divide, functools.partial(divide), Divider(), logged, staticmethod(divide), generated, started]


@pytest.mark.parametrize("function", AWAITED)
async def test_a_coroutine_is_reported_when_it_has_ended(function: Callable[..., Awaitable[float]]) -> None:
    reporter = Collected()
    decorated = reporter.reports(of_job)(function)
    pending = decorated(6, 2)
    assert reporter.all == []
    assert await pending == 3
    with pytest.raises(ZeroDivisionError):
        await decorated(6, 0)
    assert reporter.reported == [("a", SUCCEEDED, 1), ("a", FAILED, 1)]


def test_a_decorated_coroutine_function_stays_one() -> None:
    """Frameworks ask before they await."""
    decorate = Collected().reports(of_job)
    assert all(asyncio.iscoroutinefunction(decorate(one)) for one in (divide, Divider()))
    assert not asyncio.iscoroutinefunction(decorate(abs))


def test_a_future_of_a_thread_is_reported_when_it_is_done() -> None:
    reporter = Collected()
    futures: list[Future[int]] = [Future(), Future()]
    decorated = reporter.reports(of_job)(futures.__getitem__)
    assert decorated(0) is futures[0]
    decorated(1)
    assert reporter.all == []
    futures[0].set_result(1)
    futures[1].set_exception(KeyError())
    assert reporter.reported == [("a", SUCCEEDED, 1), ("a", FAILED, 1)]


def rows(count: int, by: int = 1) -> Iterator[float]:
    """Do the work while it is iterated."""
    for number in range(count):
        yield number / by


async def rows_async(count: int, by: int = 1) -> AsyncIterator[float]:
    """Do the work while it is iterated in an event loop."""
    for number in rows(count, by):
        yield number


def rows_returned(count: int, by: int = 1) -> AsyncIterator[float]:
    """Return an async generator from a plain function."""
    return rows_async(count, by)


async def listed(items: Any) -> list[float]:
    """Iterate to the end."""
    return list(items) if isinstance(items, Iterator) else [item async for item in items]


@pytest.mark.parametrize("function", [rows, rows_async, functools.partial(rows), rows_returned])
async def test_a_generator_is_reported_when_it_is_exhausted(function: Callable[..., Any]) -> None:
    reporter = Collected()
    decorated = reporter.reports(of_job)(function)
    items = decorated(3)
    assert reporter.all == []
    assert await listed(items) == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        await listed(decorated(3, 0))
    assert reporter.reported == [("a", SUCCEEDED, 1), ("a", FAILED, 1)]


async def test_a_generator_that_is_closed_early_reports_nothing() -> None:
    """Its work was not done to the end: the job is pending."""
    reporter = Collected()
    closed: list[str] = []

    @reporter.reports(of_job)
    def iterated(name: str) -> Generator[int, None, None]:
        with contextlib.closing(contextlib.ExitStack()) as stack:
            stack.callback(closed.append, name)
            yield from range(3)

    @reporter.reports(of_job)
    async def iterated_async(name: str) -> AsyncGenerator[int, None]:
        for number in iterated(name):
            yield number

    for _ in (items := iterated("a")):
        items.close()
    async for _ in (items_async := iterated_async("b")):
        await items_async.aclose()
    assert reporter.all == []
    assert closed == ["a", "b"]


async def test_a_generator_receives_what_its_caller_sends_and_throws() -> None:
    reporter = Collected()

    async def echoed(_job: str) -> AsyncGenerator[object, object]:
        received: object = None
        while received != "end":
            try:
                received = yield received
            except KeyError as error:
                received = error.args[0]

    items = reporter.reports(of_job)(echoed)("a")
    assert await anext(items) is None
    assert await items.asend("sent") == "sent"
    assert await items.athrow(KeyError("thrown")) == "thrown"
    with pytest.raises(StopAsyncIteration):
        await items.asend("end")
    assert reporter.reported == [("a", SUCCEEDED, 1)]


def test_what_cannot_be_called_is_refused_when_it_is_decorated() -> None:
    """For example a classmethod: the decorator belongs below it."""
    with pytest.raises(TypeError, match="below @classmethod"):
        Collected().reports(of_job)(classmethod(of_job))  # type: ignore[arg-type]
