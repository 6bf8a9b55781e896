"""python -m bench.idle_watches: measure what open watches of idle batches cost a server.

Starts MySQL and a server process, opens one watch on each batch, and reads the CPU time that the
server uses while nothing happens.
"""

import asyncio

import grpc
import typer

from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc
from bench.load.operating_system import cpu_seconds, resident_mib
from bench.load.processes import progress_process
from bench.measure.stores import mysql, with_tables

CREATE_AT_ONCE = 50
"""Batches created at the same time: few enough for the connection pool of the server."""


def main(watches: int = 1_000, seconds: int = 20) -> None:
    """Print the share of a core and the memory that the server uses."""
    asyncio.run(_measure(watches, seconds))


async def _measure(watches: int, seconds: int) -> None:
    async with (
        mysql() as server,
        server.database("idle") as url,
        with_tables(url),
        progress_process(url) as process,
        grpc.aio.insecure_channel(process.target) as channel,
    ):
        calls = await _watch_quiet_batches(progress_pb2_grpc.ProgressServiceStub(channel), watches)
        before = cpu_seconds([process.pid])
        await asyncio.sleep(seconds)
        share = (cpu_seconds([process.pid]) - before) / seconds
        print(  # noqa: T201  # the command's output
            f"{watches:,} open watches of idle batches: {share:.1%} of a core over {seconds} s,"
            f" {resident_mib(process.pid):.0f} MiB resident"
        )
        for call in calls:
            call.cancel()


async def _watch_quiet_batches(
    stub: "progress_pb2_grpc.ProgressServiceAsyncStub", watches: int
) -> list[grpc.aio.UnaryStreamCall[pb.WatchBatchRequest, pb.WatchBatchResponse]]:
    """Open the watches and wait for the first message of each."""
    ids = [f"batch-{number}" for number in range(watches)]
    for first in range(0, watches, CREATE_AT_ONCE):
        portion = ids[first : first + CREATE_AT_ONCE]
        await asyncio.gather(
            *(stub.CreateBatch(pb.CreateBatchRequest(batch_id=one, total_jobs=1)) for one in portion)
        )
    calls = [stub.WatchBatch(pb.WatchBatchRequest(batch_id=one)) for one in ids]
    await asyncio.gather(*(call.read() for call in calls))
    return calls


if __name__ == "__main__":
    typer.run(main)
