"""python -m bench.notified: measure what subscriptions to webhooks cost those who report.

Starts MySQL, two servers with a database each, and a notifier with a subscription beside one of them. Workers
report the jobs of batches to their end, to both servers in turns. Each batch of the notified server is an
event and a delivery to a receiver in this process, which is waited for between the turns.
"""

import asyncio
import secrets
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import grpc
import typer
from aiohttp import web

from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc
from bench.load.operating_system import cpu_seconds
from bench.load.processes import Serving, end, launch, progress_process
from bench.load.reporters import report_methods, report_of
from bench.measure.stores import mysql, with_tables

CONNECTIONS = 4
DELIVERED_SECONDS_MAX = 60.0
"""The notifier looks for events twice a second; a busy machine may take longer."""
SECRET_BYTES = 24
_numbers = count()


@dataclass(slots=True)
class Receiver:
    """A receiver of webhooks that answers at once."""

    received: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def handle(self, request: web.Request) -> web.Response:
        """Take a webhook."""
        await request.read()
        self.received.release()
        return web.Response(status=204)

    async def wait_for(self, number: int) -> None:
        """Return when so many further webhooks have come."""
        async with asyncio.timeout(DELIVERED_SECONDS_MAX):
            for _ in range(number):
                await self.received.acquire()


@dataclass(frozen=True, slots=True)
class Turn:
    """What the reports of one turn took."""

    per_second: float
    cpu_us: float
    """CPU time of the server for a report, in µs."""


@dataclass(slots=True)
class Contestant:
    """A server, and what its turns took."""

    server: Serving
    receiver: Receiver | None
    """Receives a webhook for each batch; None: nobody does."""
    turns: list[Turn] = field(default_factory=list)

    async def take_turn(self, batches: int, jobs: int, workers: int) -> None:
        """Report all jobs of some batches."""
        async with AsyncExitStack() as stack:
            calls = await report_methods(stack, [self.server.target], CONNECTIONS, 1)
            ids = await _create(self.server.target, batches, jobs)
            payloads = iter([report_of(one, "job", job, 1).payload for job in range(jobs) for one in ids])
            cpu, began = cpu_seconds([self.server.pid]), perf_counter()
            await asyncio.gather(*(_report(calls[one % CONNECTIONS], payloads) for one in range(workers)))
            seconds, reports = perf_counter() - began, batches * jobs
            cpu = cpu_seconds([self.server.pid]) - cpu
        self.turns.append(Turn(reports / seconds, cpu * 1e6 / reports))
        if self.receiver is not None:
            await self.receiver.wait_for(batches)


def main(turns: int = 12, batches: int = 10, jobs: int = 300, workers: int = 100) -> None:
    """Print the reports per second and the CPU time of a report: medians of so many turns of each server."""
    asyncio.run(_measure(turns, batches, jobs, workers))


async def _measure(turns: int, batches: int, jobs: int, workers: int) -> None:
    async with (
        mysql() as server,
        server.database("quiet") as quiet_url,
        with_tables(quiet_url),
        server.database("notified") as notified_url,
        with_tables(notified_url),
        progress_process(quiet_url) as quiet,
        progress_process(notified_url) as notified,
        _notified(notified_url, notified) as receiver,
    ):
        without, with_webhooks = Contestant(quiet, None), Contestant(notified, receiver)
        for contestant in (without, with_webhooks):
            await contestant.take_turn(batches, jobs, workers)  # not measured: connections and caches are new
            contestant.turns.clear()
        for number in range(turns):
            pair = (without, with_webhooks) if number % 2 else (with_webhooks, without)
            for contestant in pair:
                await contestant.take_turn(batches, jobs, workers)
    print(_line(without.turns, with_webhooks.turns, jobs))  # noqa: T201  # the command's output


def _line(without: list[Turn], notified: list[Turn], jobs: int) -> str:
    rate = median(one.per_second for one in without), median(one.per_second for one in notified)
    cpu = median(one.cpu_us for one in without), median(one.cpu_us for one in notified)
    pairs = sorted(two.per_second / one.per_second for one, two in zip(without, notified, strict=True))
    return (
        f"batches of {jobs} jobs, medians of {len(without)} turns:"
        f" {rate[0]:,.0f} reports/s without subscriptions, {rate[1]:,.0f} with one"
        f" ({rate[1] / rate[0]:.2f} x; pairs of turns {pairs[0]:.2f} to {pairs[-1]:.2f} x,"
        f" median {median(pairs):.2f} x);"
        f" {cpu[0]:,.0f} µs of CPU of the server per report without, {cpu[1]:,.0f} with"
        f" ({cpu[1] / cpu[0]:.2f} x)"
    )


@asynccontextmanager
async def _notified(database_url: str, server: Serving) -> AsyncIterator[Receiver]:
    """Run a notifier with a subscription, until events are written for it and beyond."""
    receiver, app = Receiver(), web.Application()
    app.router.add_post("/", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with tempfile.TemporaryDirectory() as folder:
        file = _subscriptions(Path(folder), f"http://127.0.0.1:{runner.addresses[0][1]}/")
        environment = {
            "BATCHES_DATABASE_URL": database_url,
            "NOTIFIER_SUBSCRIPTIONS_FILE": str(file),
            "NOTIFIER_ALLOW_PRIVATE_ADDRESSES": "true",
            "NOTIFIER_ADMIN_LISTEN": "127.0.0.1:0",
            "NOTIFIER_METRICS_LISTEN": "127.0.0.1:0",
        }
        with tempfile.TemporaryFile() as log:
            process = await launch("services.notifier", environment=environment, log=log)
            try:
                await _wait_for_lease(server, receiver)
                yield receiver
            finally:
                await end(process)
                await runner.cleanup()


async def _wait_for_lease(server: Serving, receiver: Receiver) -> None:
    """End batches until one of them has its webhook: before, nobody wants events."""
    async with asyncio.timeout(DELIVERED_SECONDS_MAX):
        while receiver.received.locked():
            await _create(server.target, 1, 0)
            await asyncio.sleep(1)
    await asyncio.sleep(2)  # those of the other batches come, too
    receiver.received = asyncio.Semaphore(0)


def _subscriptions(folder: Path, url: str) -> Path:
    secret, file = folder / "secret", folder / "subscriptions.toml"
    secret.write_text(f"whsec_{b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}\n")
    secret.chmod(0o600)
    file.write_text(f'[[subscription]]\nname = "bench"\nurl = "{url}"\nsecret_file = "{secret}"\n')
    return file


async def _create(target: str, batches: int, jobs: int) -> list[str]:
    ids = [f"batch-{next(_numbers)}" for _ in range(batches)]
    async with grpc.aio.insecure_channel(target) as channel:
        stub = progress_pb2_grpc.ProgressServiceStub(channel)
        for batch_id in ids:
            await stub.CreateBatch(pb.CreateBatchRequest(batch_id=batch_id, total_jobs=jobs))
    return ids


async def _report(call: Any, payloads: Iterator[bytes]) -> None:
    for payload in payloads:
        await call(payload)


if __name__ == "__main__":
    typer.run(main)
