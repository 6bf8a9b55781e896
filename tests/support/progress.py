"""The progress server in the event loop of a test, or as a process."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import grpc
from pydantic import SecretStr

from batches.settings import DatabaseSettings
from batchprogress.v1 import operations_pb2_grpc, progress_pb2_grpc
from batchprogress.v1 import progress_pb2 as pb
from services.progress.settings import ProgressSettings
from services.progress.wiring import progress_server

START_SECONDS_MAX = 90
"""Imports take a second, and half a minute beside a thousand workers on a busy machine."""
STOP_SECONDS_MAX = 30
ROOT = Path(__file__).parents[2]

Stub: TypeAlias = "progress_pb2_grpc.ProgressServiceAsyncStub"  # exists for the type checker only


def stub_of(channel: grpc.aio.Channel) -> Stub:
    """Return the typed stub of a channel."""
    return progress_pb2_grpc.ProgressServiceStub(channel)


@dataclass(frozen=True, slots=True)
class Served:
    """A server in this event loop, and a client of it."""

    port: int
    channel: grpc.aio.Channel
    stub: Stub

    @property
    def operations(self) -> "operations_pb2_grpc.OperationsServiceAsyncStub":
        """A client of the other service on the same port."""
        return operations_pb2_grpc.OperationsServiceStub(self.channel)

    async def create(self, batch_id: str, total_jobs: int, *, sealed: bool = True) -> pb.Batch:
        """Create a batch."""
        request = pb.CreateBatchRequest(batch_id=batch_id, total_jobs=total_jobs, sealed=sealed)
        return (await self.stub.CreateBatch(request)).batch

    async def report(
        self,
        batch_id: str,
        job_id: str,
        outcome: pb.JobOutcome.ValueType = pb.JOB_OUTCOME_SUCCEEDED,
        **fields: Any,
    ) -> pb.ReportJobResultResponse:
        """Report a result."""
        request = pb.ReportJobResultRequest(batch_id=batch_id, job_id=job_id, outcome=outcome, **fields)
        return await self.stub.ReportJobResult(request)

    async def get(self, batch_id: str) -> pb.Batch:
        """Read a batch."""
        return (await self.stub.GetBatch(pb.GetBatchRequest(batch_id=batch_id))).batch


@asynccontextmanager
async def served(database_url: str, **settings: Any) -> AsyncIterator[Served]:
    """Serve on a database while the context is open."""
    chosen = ProgressSettings(listen="127.0.0.1:0", **settings)
    database = DatabaseSettings(database_url=SecretStr(database_url))
    async with (
        progress_server(chosen, database) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield Served(server.port, channel, stub_of(channel))


class ProgressProcess:
    """`python -m services.progress` as a process.

    Args:
        process: A process that was started with its log on a pipe.

    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._log: list[str] = []
        self._reading: asyncio.Task[None] | None = None
        self._logged = asyncio.Condition()
        self.port = 0

    @property
    def target(self) -> str:
        """Its address, host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """Its log so far."""
        return "\n".join(self._log)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def logged(self, words: str) -> None:
        """Wait until the log contains these words."""
        async with asyncio.timeout(START_SECONDS_MAX), self._logged:
            await self._logged.wait_for(lambda: words in self.log)

    async def ended(self) -> int:
        """Wait for its end and return the exit code, which is negative after a signal."""
        async with asyncio.timeout(STOP_SECONDS_MAX):
            code = await self._process.wait()
            if self._reading is not None:
                await self._reading
        return code

    async def read_port(self) -> None:
        """Wait until it serves, and read its port."""
        async with asyncio.timeout(START_SECONDS_MAX):
            while not self.port:
                line = await self._next_line()
                if line is None:
                    raise AssertionError(f"the server did not start: {self.log}")
                self.port = _port_of(line)
        self._reading = asyncio.create_task(self._read_on())

    async def _read_on(self) -> None:
        while await self._next_line() is not None:
            pass

    async def _next_line(self) -> str | None:
        assert self._process.stderr is not None
        raw = await self._process.stderr.readline()
        if not raw:
            return None
        async with self._logged:
            self._log.append(raw.decode(errors="replace").rstrip())
            self._logged.notify_all()
        return self._log[-1]


@asynccontextmanager
async def progress_process(
    database_url: str | None, *, listen: str = "127.0.0.1:0", **environment: str
) -> AsyncIterator[ProgressProcess]:
    """Run a server process while the context is open, and kill it at the end if it still runs."""
    async with serving(await start(database_url, listen=listen, **environment)) as server:
        yield server


@asynccontextmanager
async def serving(process: asyncio.subprocess.Process) -> AsyncIterator[ProgressProcess]:
    """Wait until a process serves, and kill it at the end of the context if it still runs."""
    server = ProgressProcess(process)
    try:
        await server.read_port()
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await server.ended()


async def start(database_url: str | None, *, listen: str, **environment: str) -> asyncio.subprocess.Process:
    """Start a server process with its log on a pipe; without a URL, the environment names the database."""
    own = {} if database_url is None else {"BATCHES_DATABASE_URL": database_url}
    return await start_from(ROOT, {**own, "PROGRESS_LISTEN": listen, **environment})


async def start_from(
    checkout: Path, environment: Mapping[str, str], module: str = "services.progress"
) -> asyncio.subprocess.Process:
    """Start a server process from a checkout, whose folder comes before PYTHONPATH."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        cwd=checkout,
        env={**os.environ, **environment},
        stderr=asyncio.subprocess.PIPE,
    )


def _port_of(line: str) -> int:
    try:
        entry = json.loads(line)
    except ValueError:
        return 0
    return int(entry.get("port", 0)) if entry.get("event") == "serving" else 0
