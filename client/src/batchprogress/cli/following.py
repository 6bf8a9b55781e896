"""Following many batches at once, through restarts, until each has ended."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any, Protocol

import grpc

from batchprogress._grpc.retry import failure_of
from batchprogress.bar import DRAWN_SECONDS_MIN
from batchprogress.cli import cli_errors
from batchprogress.cli.cli_errors import Complaint
from batchprogress.cli.client import Client
from batchprogress.cli.idle import with_silences
from batchprogress.errors import BatchNotFound
from batchprogress.pace import after_silence
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.watching import watch_async

ASKED_SECONDS = 5.0
"""A stall sends nothing to a watcher: after so much silence the batch is asked for."""


class View(Protocol):
    """What shows the batches."""

    def changed(self, batch: pb.Batch) -> None:
        """Show a newer state, or that the batch has stalled."""

    def asked(self, batch: pb.Batch) -> None:
        """Show the same state at a later time: a slower pace, a longer stall."""

    def missing(self, batch_id: str, complaint: Complaint) -> None:
        """Say that there is no such batch."""


async def follow(client: Client, batch_ids: Iterable[str], view: View) -> list[pb.Batch | Complaint]:
    """Show batches until each has ended; return how each did.

    Raises:
        Complaint: the server is away for too long, or answers what trying again does not change.

    """
    batches = [asyncio.create_task(_follow_one(client, batch_id, view)) for batch_id in batch_ids]
    presence = asyncio.create_task(client.complain_when_away())
    ended = asyncio.create_task(asyncio.wait(batches, return_when=asyncio.FIRST_EXCEPTION))
    tasks: set[asyncio.Task[Any]] = {*batches, presence, ended}
    try:
        await asyncio.wait({presence, ended}, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()  # the first that failed ends all
        return [batch.result() for batch in batches]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow_one(client: Client, batch_id: str, view: View) -> pb.Batch | Complaint:
    states = watch_async(
        client.channel, batch_id, min_interval=DRAWN_SECONDS_MIN, token=client.connection.token
    )
    latest, received = pb.Batch(), 0.0
    clock = asyncio.get_running_loop().time
    try:
        async with aclosing(with_silences(states, ASKED_SECONDS)) as moments:
            async for state in moments:
                if state is not None:
                    latest, received = state, clock()
                    view.changed(latest)
                elif latest.batch_id and (answer := await _asked(client, latest, view)):
                    latest, received = answer, clock()
                elif latest.batch_id:
                    view.asked(after_silence(latest, clock() - received))
    except BatchNotFound:
        complaint = cli_errors.no_batch(batch_id)
        view.missing(batch_id, complaint)
        return complaint
    except grpc.aio.AioRpcError as error:
        raise cli_errors.refused(failure_of(error), client.server) from error
    return latest


async def _asked(client: Client, latest: pb.Batch, view: View) -> pb.Batch | None:
    """Ask for a batch that is silent; None without an answer, or of a newer state: the stream tells of it."""
    response = await client.ask_once(client.stub.GetBatch, pb.GetBatchRequest(batch_id=latest.batch_id))
    if response is None or response.batch.revision != latest.revision:
        return None
    if response.batch.stall_reason and not latest.stall_reason:
        view.changed(response.batch)
    else:
        view.asked(response.batch)
    return response.batch
