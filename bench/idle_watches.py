"""python -m bench.idle_watches: measure what open watches of idle batches cost a server.

Starts MySQL and a server process, opens one watch on each batch, and reads the CPU time that the
server uses while nothing happens.
"""

import asyncio
from contextlib import AsyncExitStack

import grpc
import typer
from google.protobuf import duration_pb2

from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc
from bench.load.operating_system import cpu_seconds, resident_mib
from bench.load.processes import progress_process
from bench.measure.stores import mysql, with_tables

CREATE_AT_ONCE = 50
"""Batches created at the same time: few enough for the connection pool of the server."""
WATCHES_PER_CONNECTION = 1_000
"""Below the number of calls that the server allows on a connection, and of those that may wait for it."""
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)

Stream = grpc.aio.UnaryStreamCall[pb.WatchBatchRequest, pb.WatchBatchResponse]


def main(watches: int = 1_000, seconds: int = 20, heartbeat_seconds: float = 0.0) -> None:
    """Print the share of a core and the memory that the server uses; 0 seconds are no heartbeats."""
    asyncio.run(_measure(watches, seconds, heartbeat_seconds))


async def _measure(watches: int, seconds: int, heartbeat_seconds: float) -> None:
    async with (
        mysql() as server,
        server.database("idle") as url,
        with_tables(url),
        progress_process(url) as process,
        AsyncExitStack() as stack,
    ):
        stubs = [
            progress_pb2_grpc.ProgressServiceStub(
                await stack.enter_async_context(grpc.aio.insecure_channel(process.target, OWN_CONNECTION))
            )
            for _ in range(0, watches, WATCHES_PER_CONNECTION)
        ]
        calls = await _watch_quiet_batches(stubs, watches, heartbeat_seconds)
        heard = [asyncio.create_task(_heard(call)) for call in calls]
        before = cpu_seconds([process.pid])
        await asyncio.sleep(seconds)
        share = (cpu_seconds([process.pid]) - before) / seconds
        for call in calls:
            call.cancel()
        messages = sum(await asyncio.gather(*heard))
        print(  # noqa: T201  # the command's output
            f"{watches:,} open watches of idle batches: {share:.1%} of a core over {seconds} s,"
            f" {resident_mib(process.pid):.0f} MiB resident, {messages:,} heartbeats"
        )


async def _heard(call: Stream) -> int:
    """Count the messages of a stream until it is cancelled."""
    messages = 0
    try:
        while await call.read() is not grpc.aio.EOF:
            messages += 1
    except (asyncio.CancelledError, grpc.aio.AioRpcError):
        pass
    return messages


async def _watch_quiet_batches(
    stubs: "list[progress_pb2_grpc.ProgressServiceAsyncStub]", watches: int, heartbeat_seconds: float
) -> list[Stream]:
    """Open the watches and wait for the first message of each."""
    ids = [f"batch-{number}" for number in range(watches)]
    for first in range(0, watches, CREATE_AT_ONCE):
        portion = ids[first : first + CREATE_AT_ONCE]
        await asyncio.gather(
            *(stubs[0].CreateBatch(pb.CreateBatchRequest(batch_id=one, total_jobs=1)) for one in portion)
        )
    calls: list[Stream] = []
    for stub, first in zip(stubs, range(0, watches, WATCHES_PER_CONNECTION), strict=True):
        portion = ids[first : first + WATCHES_PER_CONNECTION]
        opened = [stub.WatchBatch(_request_of(one, heartbeat_seconds)) for one in portion]
        await asyncio.gather(*(call.read() for call in opened))
        calls += opened
    return calls


def _request_of(batch_id: str, heartbeat_seconds: float) -> pb.WatchBatchRequest:
    interval = duration_pb2.Duration()
    interval.FromMilliseconds(round(heartbeat_seconds * 1_000))
    return pb.WatchBatchRequest(batch_id=batch_id, heartbeat_interval=interval if heartbeat_seconds else None)


if __name__ == "__main__":
    typer.run(main)
