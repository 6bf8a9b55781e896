"""python -m bench.event_viewers: measure what viewers of /v1/batch/events cost a gateway.

Starts a progress server on SQLite and a gateway as processes, opens the viewers of one batch, restarts the
gateway, and reports the jobs of the batch one by one until it ends.
"""

import asyncio
import random
import resource
import tempfile
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass

import grpc
import typer

from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc
from bench.load.operating_system import cpu_seconds, resident_mib
from bench.load.processes import Serving, gateway_process, progress_process
from database_servers.ports import free_port

BATCH = "viewed"
OTHER_FILES = 500
"""Open files of this process besides the connections of viewers."""
OPENED_AT_ONCE = 200
"""Connections that are opened at the same time: fewer than the kernel queues for the gateway."""
START_SECONDS_MAX = 30.0
VIEWED_SECONDS_MAX = 120.0
LAST_CHUNK = b"0\r\n\r\n"
BACK_SECONDS = (1.0, 3.0)
"""After so long a viewer connects again: what the gateway says in `retry`."""


class Viewers:
    """All viewers together, which connect again when they are cut.

    Args:
        target: the address of the gateway.

    """

    def __init__(self, target: str) -> None:
        self._host, _, port = target.partition(":")
        self._port = int(port)
        self._returning: set[asyncio.Task[None]] = set()
        self.begun = asyncio.Semaphore(0)
        self.ended = asyncio.Semaphore(0)
        self.events = 0

    async def connect(self) -> None:
        """Let a viewer connect."""
        await asyncio.get_running_loop().create_connection(lambda: Viewer(self), self._host, self._port)

    def come_back(self) -> None:
        """Let a viewer connect again, as often as it is refused."""
        task = asyncio.create_task(self._come_back())
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _come_back(self) -> None:
        is_back = False
        while not is_back:
            await asyncio.sleep(random.uniform(*BACK_SECONDS))  # noqa: S311  # jitter is no secret
            with suppress(OSError):
                await self.connect()
                is_back = True


class Viewer(asyncio.Protocol):
    """A viewer that reads everything and keeps the last bytes only.

    Args:
        viewers: what all of them have seen.

    """

    def __init__(self, viewers: Viewers) -> None:
        self._viewers = viewers
        self._last = b""
        self._events = 0
        self._has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the events."""
        assert isinstance(transport, asyncio.Transport)  # for the type checker
        self._transport = transport
        head = f"GET /v1/batch/events?batch_id={BATCH} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
        transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        """Count the events."""
        if b"event: batch" in data:
            self._viewers.events += 1
            self._events += 1
            if self._events == 1:
                self._viewers.begun.release()
        if b"event: ended" in self._last[-20:] + data:
            self._has_ended = True
            self._viewers.ended.release()
        if data.endswith(LAST_CHUNK):
            self._transport.close()
        self._last = data

    def connection_lost(self, _exc: Exception | None) -> None:
        """Connect again, unless the batch has ended."""
        if not self._has_ended:
            self._viewers.come_back()


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process uses."""

    cpu_seconds: float
    resident_mib: float

    @staticmethod
    def of(process: Serving) -> "Cost":
        """Read the cost until now."""
        return Cost(cpu_seconds([process.pid]), resident_mib(process.pid))


def main(viewers: int = 5_000, jobs: int = 40, seconds: float = 20.0) -> None:
    """Print what viewers and events cost, and how long a restart takes."""
    asyncio.run(_measure(viewers, jobs, seconds))


async def _measure(count: int, jobs: int, seconds: float) -> None:
    _allow_files(2 * count)  # those that come back, and those that are not closed yet
    metrics, target = free_port(), f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{folder}/batches.db"
        async with (
            progress_process(url, PROGRESS_METRICS_LISTEN=f"127.0.0.1:{metrics}") as server,
            grpc.aio.insecure_channel(server.target) as channel,
        ):
            stub = progress_pb2_grpc.ProgressServiceStub(channel)
            await stub.CreateBatch(pb.CreateBatchRequest(batch_id=BATCH, total_jobs=jobs))
            viewers = Viewers(target)
            room = {"GATEWAY_VIEWERS_MAX": str(count), "GATEWAY_BATCH_VIEWERS_MAX": str(count)}
            async with gateway_process(server.target, target, **room) as gateway:
                await _let_in(viewers, gateway, count)
                stopped = time.monotonic()
            print(f"the gateway ended {time.monotonic() - stopped:.1f} s after SIGTERM")  # noqa: T201  # output
            async with gateway_process(server.target, target, **room) as gateway:
                started = time.monotonic()
                await _all(viewers.begun, count)
                print(f"all were back {time.monotonic() - started:.1f} s after the next one served")  # noqa: T201
                watches = await asyncio.to_thread(_metric, metrics, "batchprogress_watches")
                print(f"{watches:.0f} watch upstream")  # noqa: T201
                await _follow(viewers, gateway, stub, count, jobs, seconds)


async def _let_in(viewers: Viewers, gateway: Serving, count: int) -> None:
    idle = Cost.of(gateway)
    await _open(viewers, count)
    begun = Cost.of(gateway)
    kib = (begun.resident_mib - idle.resident_mib) * 1024 / count
    print(  # noqa: T201  # the command's output
        f"{count:,} viewers of one batch: {kib:.1f} KiB each"
        f" ({idle.resident_mib:.0f} MiB idle, {begun.resident_mib:.0f} MiB with them),"
        f" {(begun.cpu_seconds - idle.cpu_seconds) * 1e6 / count:.0f} µs of CPU to let one in"
    )


async def _follow(  # noqa: PLR0913, PLR0917  # what is measured
    viewers: Viewers,
    gateway: Serving,
    stub: "progress_pb2_grpc.ProgressServiceAsyncStub",
    count: int,
    jobs: int,
    seconds: float,
) -> None:
    before, first = Cost.of(gateway), viewers.events
    for number in range(jobs):
        await asyncio.sleep(seconds / jobs)
        await stub.ReportJobResult(_result(number))
    last = time.monotonic()
    await _all(viewers.ended, count)
    late, done, events = time.monotonic() - last, Cost.of(gateway), viewers.events - first
    print(  # noqa: T201  # the command's output
        f"{(done.cpu_seconds - before.cpu_seconds) * 1e6 / events:.0f} µs of CPU an event,"
        f" {events / count / seconds:.1f} events a second for each viewer;"
        f" all had the end {late:.1f} s after the last report"
    )


async def _open(viewers: Viewers, count: int) -> None:
    for begin in range(0, count, OPENED_AT_ONCE):
        group = min(OPENED_AT_ONCE, count - begin)
        await asyncio.gather(*(viewers.connect() for _ in range(group)))
        await _all(viewers.begun, group)


async def _all(seen: asyncio.Semaphore, count: int) -> None:
    async with asyncio.timeout(VIEWED_SECONDS_MAX):
        for _ in range(count):
            await seen.acquire()


def _metric(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=START_SECONDS_MAX) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def _result(number: int) -> pb.ReportJobResultRequest:
    return pb.ReportJobResultRequest(batch_id=BATCH, job_id=str(number), outcome=pb.JOB_OUTCOME_SUCCEEDED)


def _allow_files(viewers: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(viewers + OTHER_FILES, hard), hard))


if __name__ == "__main__":
    typer.run(main)
