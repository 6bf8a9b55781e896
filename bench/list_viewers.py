"""python -m bench.list_viewers: measure what open lists cost while nothing happens.

Starts a progress server on SQLite and a gateway as processes, creates batches, and reads the CPU time of
both while lists are open: as streams of /v1/batches/events, and as pages that ask for 50 batches every two
seconds, as the page did before.
"""

import asyncio
import json
import tempfile
from contextlib import suppress

import grpc
import typer

from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc
from bench.load.operating_system import cpu_seconds, resident_mib
from bench.load.processes import Serving, gateway_process, progress_process
from database_servers.ports import free_port

POLL_SECONDS = 2.0
PAGE_SIZE = 50
BEGUN_SECONDS_MAX = 60.0
LIVE = b"event: live"


def main(batches: int = 1_000, viewers: int = 100, seconds: float = 20.0) -> None:
    """Print the shares of a core."""
    asyncio.run(_measure(batches, viewers, seconds))


async def _measure(batches: int, viewers: int, seconds: float) -> None:
    target = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory() as folder:
        async with (
            progress_process(f"sqlite+aiosqlite:///{folder}/batches.db") as server,
            gateway_process(server.target, target) as gateway,
        ):
            await _create(server.target, batches)
            idle_mib = resident_mib(gateway.pid)
            begun = asyncio.Semaphore(0)
            reading = [asyncio.create_task(_read(target, begun)) for _ in range(viewers)]
            async with asyncio.timeout(BEGUN_SECONDS_MAX):
                for _ in range(viewers):
                    await begun.acquire()
            kib = (resident_mib(gateway.pid) - idle_mib) * 1024 / viewers
            streams = await _shares(server, gateway, seconds)
            await _end(reading)
            asking = [asyncio.create_task(_ask(target)) for _ in range(viewers)]
            polls = await _shares(server, gateway, seconds)
            await _end(asking)
    print(  # noqa: T201  # the command's output
        f"{viewers:,} lists over {batches:,} quiet batches: as streams {_text(streams)} and {kib:.0f} KiB of"
        f" the gateway each; as pages that ask every {POLL_SECONDS:.0f} s {_text(polls)}"
    )


async def _create(target: str, batches: int) -> None:
    async with grpc.aio.insecure_channel(target) as channel:
        stub = progress_pb2_grpc.ProgressServiceStub(channel)
        for number in range(batches):
            await stub.CreateBatch(pb.CreateBatchRequest(batch_id=f"batch-{number}", total_jobs=9))


async def _shares(server: Serving, gateway: Serving, seconds: float) -> tuple[float, float]:
    """Return the shares of a core that the server and the gateway use."""
    before = [cpu_seconds([one.pid]) for one in (server, gateway)]
    await asyncio.sleep(seconds)
    used = [cpu_seconds([one.pid]) for one in (server, gateway)]
    return (used[0] - before[0]) / seconds, (used[1] - before[1]) / seconds


async def _read(target: str, begun: asyncio.Semaphore) -> None:
    """Read the events of all batches."""
    host, _, port = target.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /v1/batches/events HTTP/1.1\r\nhost: {target}\r\n\r\n".encode())
    last = b""
    try:
        while part := await reader.read(2**16):
            if LIVE in last + part and LIVE not in last:
                begun.release()
            last = part[-len(LIVE) :]
    finally:
        writer.close()


async def _ask(target: str) -> None:
    """Ask for the list as a page does, on a connection that is kept."""
    host, _, port = target.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps({"pageSize": PAGE_SIZE}).encode()
    head = (
        f"POST /batchprogress.v1.ProgressService/ListBatches HTTP/1.1\r\nhost: {target}\r\n"
        f"content-type: application/json\r\ncache-control: max-age=10\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    try:
        while True:
            writer.write(head.encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(line for line in answer.splitlines() if line.startswith("content-length:"))
            await reader.readexactly(int(length.partition(":")[2]))
            await asyncio.sleep(POLL_SECONDS)
    finally:
        writer.close()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)


def _text(shares: tuple[float, float]) -> str:
    return f"{shares[0]:.1%} of a core of the server and {shares[1]:.1%} of the gateway"


if __name__ == "__main__":
    typer.run(main)
