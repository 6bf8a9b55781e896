"""Follows many batches at once until each has ended."""

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

from batchprogress.bar_line import held
from batchprogress.cli.cli_errors import ExitCode, command_error
from batchprogress.cli.client import AWAY_SECONDS_MIN, AsyncCommandClient
from batchprogress.cli.presence import Presence
from batchprogress.errors import BatchNotFound, ProgressError
from batchprogress.models import Batch, BatchState
from batchprogress.progress_bar import DRAWN_SECONDS_MIN
from batchprogress.silences import with_silences

Result = TypeVar("Result")

SILENCE_SECONDS = 5.0
"""A stall sends nothing to a watcher: after this time without news the batch is read."""


class View(Protocol):
    """Shows batches."""

    def changed(self, batch: Batch) -> None:
        """Show a newer state, or that the batch has stalled."""

    def aged(self, batch: Batch, silent_seconds: float) -> None:
        """Show the same state at a later time: a lower rate, no rate any more, a longer stall."""

    def missing(self, batch_id: str, sentence: str) -> None:
        """Show a sentence that there is no such batch."""


async def follow(client: AsyncCommandClient, batch_ids: Iterable[str], view: View) -> list[ExitCode]:
    """Show batches until each has ended; return the exit code of each.

    Raises:
        CallFailed: the server, or a proxy before it, refused a watch.
        CommandError: the server was away for too long.

    """
    presence = Presence(client.connection.target, client.timeout)
    return await results_of([_follow_one(client, one, view, presence) for one in batch_ids], client, presence)


async def results_of(
    follows: Iterable[Coroutine[Any, Any, Result]], client: AsyncCommandClient, presence: Presence
) -> list[Result]:
    """Run what follows batches, say whether the server answers, and close the client.

    Raises:
        CallFailed: the server, or a proxy before it, refused a watch.
        CommandError: the server was away for too long.

    """
    running = [asyncio.create_task(follow) for follow in follows]
    report = asyncio.create_task(presence.report())
    ended = asyncio.create_task(asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION))
    tasks: set[asyncio.Task[Any]] = {*running, report, ended}
    try:
        await asyncio.wait({report, ended}, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()  # the first error ends all
        return [task.result() for task in running]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.close()


async def _follow_one(client: AsyncCommandClient, batch_id: str, view: View, presence: Presence) -> ExitCode:
    states = client.states(batch_id, presence, DRAWN_SECONDS_MIN)
    clock = asyncio.get_running_loop().time
    latest: Batch | None = None
    changed, received, code = 0.0, 0.0, ExitCode.COMPLETED
    presence.asked()
    try:
        async with aclosing(with_silences(states, silence_seconds(client.timeout))) as moments:
            async for state in moments:
                if state is not None:
                    latest, code = state, _code_of(state)
                    changed = received = clock()
                    view.changed(latest)
                elif latest and (answer := await read(client, latest, presence)):
                    show_read(view, answer, latest, clock() - changed)
                    latest, received = answer, clock()
                elif latest:
                    view.aged(held(latest, clock() - received), clock() - changed)
    except BatchNotFound as error:
        view.missing(batch_id, str(command_error(error, "")))
        return ExitCode.NOT_FOUND
    return code


def silence_seconds(timeout: float | None) -> float:
    """Return how long a watch may be silent before the server is asked whether it is there."""
    return SILENCE_SECONDS if timeout is None else min(SILENCE_SECONDS, timeout)


def _code_of(batch: Batch) -> ExitCode:
    if batch.state is BatchState.CANCELLED:
        return ExitCode.CANCELLED
    return ExitCode.WITH_FAILURES if batch.failed_jobs else ExitCode.COMPLETED


async def read(client: AsyncCommandClient, latest: Batch, presence: Presence) -> Batch | None:
    """Read a batch without news; None without an answer, or if the stream is about to bring news."""
    presence.asked()
    try:
        async with asyncio.timeout(AWAY_SECONDS_MIN):
            batch = await client.get(latest.batch_id)
    except BatchNotFound:
        presence.answered()
        return None
    except (ProgressError, TimeoutError):
        return None
    presence.answered()
    return batch if batch.revision == latest.revision else None


def show_read(view: View, batch: Batch, latest: Batch, silent_seconds: float) -> None:
    """Show a batch that was read: a stall that has begun, or the same state at a later time."""
    if batch.stall_reason and not latest.stall_reason:
        view.changed(batch)
    else:
        view.aged(batch, silent_seconds)
