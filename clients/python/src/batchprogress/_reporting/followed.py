"""Follows what a decorated function returns to its end: no job is reported before its work is done."""

import asyncio
import concurrent.futures
import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing
from typing import Any

from batchprogress._reporting.job import Job

AnyFuture = asyncio.Future[Any] | concurrent.futures.Future[Any]


def reported(function: Callable[..., Any], start: Callable[..., Job | None]) -> Callable[..., Any]:
    """Return a function that reports how each call ends.

    Args:
        function: does the work of a job when it is called, or when what it returns is awaited or iterated.
        start: returns the job of a call with the same arguments; None if it cannot tell.

    Raises:
        TypeError: the function cannot be called.

    """
    if not callable(function):
        raise TypeError(f"reports() decorates a function, not {function!r}. Write it below @classmethod.")

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        job = start(*args, **kwargs)
        if job is None:
            return function(*args, **kwargs)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            job.end(error)
            raise
        return _followed(result, job)

    @functools.wraps(function)
    async def call_async(*args: Any, **kwargs: Any) -> Any:
        return await call(*args, **kwargs)

    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
    return call_async if is_async else call


def _followed(result: Any, job: Job) -> Any:
    """Return a result that reports its own end; one that is complete is reported now."""
    if isinstance(result, asyncio.Future | concurrent.futures.Future):
        result.add_done_callback(functools.partial(_end_with, job))
        return result
    if inspect.isawaitable(result):
        return _awaited(result, job)
    if inspect.isasyncgen(result):
        return _iterated_async(result, job)
    if inspect.isgenerator(result):
        return _iterated(result, job)
    job.end(None)
    return result


def _end_with(job: Job, future: AnyFuture) -> None:
    if future.cancelled():
        job.end_cancelled()
    else:
        job.end(future.exception())


async def _awaited(work: Awaitable[Any], job: Job) -> Any:
    with job:
        return await work


def _iterated(work: Generator[Any, Any, Any], job: Job) -> Generator[Any, Any, Any]:
    with job:
        return (yield from work)


async def _iterated_async(work: AsyncGenerator[Any, Any], job: Job) -> AsyncGenerator[Any, Any]:
    """Yield from an async generator, which Python has no statement for."""
    step = work.asend(None)
    with job:
        async with aclosing(work):
            while True:
                try:
                    item = await step
                except StopAsyncIteration:
                    return
                try:
                    step = work.asend((yield item))
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001  # thrown in by the caller, for the work to handle
                    step = work.athrow(error)
