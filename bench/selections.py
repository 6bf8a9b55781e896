"""python -m bench.selections: measure what watches of many batches cost a server while nothing happens.

Starts MySQL and a server process, creates batches, opens watches that all match every batch, and reads the
CPU time and the memory of the server, and the statements that it sends per second.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import grpc
import typer
from google.protobuf import duration_pb2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc
from bench.load.operating_system import cpu_seconds, resident_mib
from bench.load.processes import progress_process
from bench.measure.stores import mysql, with_tables

CREATE_AT_ONCE = 50
"""Batches created at the same time: few enough for the connection pool of the server."""


def main(batches: int = 1_000, watches: int = 100, seconds: int = 20, heartbeat_seconds: int = 20) -> None:
    """Print the share of a core, the memory and the statements per second."""
    asyncio.run(_measure(batches, watches, seconds, heartbeat_seconds))


async def _measure(batches: int, watches: int, seconds: int, heartbeat_seconds: int) -> None:
    async with (
        mysql() as server,
        server.database("selections") as url,
        with_tables(url),
        progress_process(url) as process,
        AsyncExitStack() as stack,
    ):
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(process.target))
        stub = progress_pb2_grpc.ProgressServiceStub(channel)
        await _create(stub, batches)
        before_mib = resident_mib(process.pid)
        calls = [stub.WatchBatches(_request(heartbeat_seconds)) for _ in range(watches)]
        await asyncio.gather(*(_first_states(call, batches) for call in calls))
        cpu, questions = cpu_seconds([process.pid]), await _questions(url)
        await asyncio.sleep(seconds)
        share = (cpu_seconds([process.pid]) - cpu) / seconds
        rate = (await _questions(url) - questions) / seconds
        print(  # noqa: T201  # the command's output
            f"{watches:,} watches of {batches:,} quiet batches: {share:.1%} of a core over {seconds} s,"
            f" {rate:.1f} statements/s, {before_mib:.0f} MiB before them and"
            f" {resident_mib(process.pid):.0f} MiB with them"
        )
        for call in calls:
            call.cancel()


def _request(heartbeat_seconds: int) -> pb.WatchBatchesRequest:
    return pb.WatchBatchesRequest(heartbeat_interval=duration_pb2.Duration(seconds=heartbeat_seconds))


async def _create(stub: Any, batches: int) -> None:
    for first in range(0, batches, CREATE_AT_ONCE):
        await asyncio.gather(
            *(
                stub.CreateBatch(pb.CreateBatchRequest(batch_id=f"batch-{number}", total_jobs=9))
                for number in range(first, min(first + CREATE_AT_ONCE, batches))
            )
        )


async def _first_states(call: Any, batches: int) -> None:
    """Read the first states of a watch, up to the response after them."""
    for _ in range(batches + 1):
        response = await call.read()
    assert not response.HasField("batch")  # a measurement of something else is worthless


async def _questions(url: str) -> int:
    """Return how many statements the database was sent so far."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        row = (await connection.execute(text("SHOW GLOBAL STATUS LIKE 'Questions'"))).one()
    await engine.dispose()
    return int(row[1])


if __name__ == "__main__":
    typer.run(main)
