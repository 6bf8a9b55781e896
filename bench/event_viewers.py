"""python -m bench.event_viewers: measure what viewers of /v1/batch/events cost a gateway.

Starts a progress server on SQLite and a gateway as processes, opens the viewers of one batch, and reports its
jobs one by one until it ends.
"""

import asyncio
import resource
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import typer

from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc
from bench.load.operating_system import cpu_seconds, peak_resident_mib, resident_mib
from bench.load.processes import Serving, end, launch, progress_process
from database_servers.ports import free_port

BATCH = "viewed"
OTHER_FILES = 500
"""Open files of this process besides the connections of viewers."""
OPENED_AT_ONCE = 200
"""Connections that are opened at the same time: fewer than the kernel queues for the gateway."""
START_SECONDS_MAX = 30.0
VIEWED_SECONDS_MAX = 120.0


class Viewers:
    """What all viewers together have seen."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.ended = asyncio.Semaphore(0)
        self.events = 0


class Viewer(asyncio.Protocol):
    """A viewer that reads everything and keeps the last bytes only.

    Args:
        viewers: what all of them have seen.

    """

    def __init__(self, viewers: Viewers) -> None:
        self._viewers = viewers
        self._last = b""
        self._events = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the events."""
        assert isinstance(transport, asyncio.Transport)  # for the type checker
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
            self._viewers.ended.release()
        self._last = data


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
    """Print the memory of a viewer, the CPU time of an event, and the number of watches."""
    asyncio.run(_measure(viewers, jobs, seconds))


async def _measure(count: int, jobs: int, seconds: float) -> None:
    _allow_files(count)
    metrics = free_port()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{folder}/batches.db"
        async with (
            progress_process(url, PROGRESS_METRICS_LISTEN=f"127.0.0.1:{metrics}") as server,
            _gateway_process(server.target, count) as gateway,
            grpc.aio.insecure_channel(server.target) as channel,
        ):
            stub = progress_pb2_grpc.ProgressServiceStub(channel)
            await stub.CreateBatch(pb.CreateBatchRequest(batch_id=BATCH, total_jobs=jobs))
            idle, viewers = Cost.of(gateway), Viewers()
            await _open(viewers, gateway, count)
            begun = Cost.of(gateway)
            watches = await asyncio.to_thread(_metric, metrics, "batchprogress_watches")
            first = viewers.events
            for number in range(jobs):
                await asyncio.sleep(seconds / jobs)
                await stub.ReportJobResult(_result(number))
            last = time.monotonic()
            await _all(viewers.ended, count)
            late, done = time.monotonic() - last, Cost.of(gateway)
            events = viewers.events - first
            print(  # noqa: T201  # the command's output
                f"{count:,} viewers of one batch, {watches:.0f} watch upstream:"
                f" {(begun.resident_mib - idle.resident_mib) * 1024 / count:.1f} KiB a viewer"
                f" ({idle.resident_mib:.0f} MiB idle, {peak_resident_mib(gateway.pid):.0f} MiB at most),"
                f" {(begun.cpu_seconds - idle.cpu_seconds) * 1e6 / count:.0f} µs of CPU to let one in,"
                f" {(done.cpu_seconds - begun.cpu_seconds) * 1e6 / events:.0f} µs an event"
                f" ({events / count / seconds:.1f} events a second for each viewer);"
                f" all had the end {late:.1f} s after the last report"
            )


@asynccontextmanager
async def _gateway_process(progress: str, viewers: int) -> AsyncIterator[Serving]:
    target = f"127.0.0.1:{free_port()}"
    environment = {
        "GATEWAY_LISTEN": target,
        "GATEWAY_PROGRESS_TARGET": progress,
        "GATEWAY_VIEWERS_MAX": str(viewers),
        "GATEWAY_BATCH_VIEWERS_MAX": str(viewers),
    }
    process = await launch("services.gateway", environment=environment)
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            while not await asyncio.to_thread(_answers, target):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.1)
        yield Serving(process.pid, target)
    finally:
        await end(process)


def _answers(target: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{target}/health", timeout=1):
            return True
    except OSError:
        return False


async def _open(viewers: Viewers, gateway: Serving, count: int) -> None:
    host, _, port = gateway.target.partition(":")
    loop = asyncio.get_running_loop()
    for begin in range(0, count, OPENED_AT_ONCE):
        group = min(OPENED_AT_ONCE, count - begin)
        await asyncio.gather(
            *(loop.create_connection(lambda: Viewer(viewers), host, int(port)) for _ in range(group))
        )
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
