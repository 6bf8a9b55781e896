"""What the server and the reconciler load before they have done their first work."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import grpc
import pytest

from batches.migrations import migrate
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from tests.support.progress import ROOT, STOP_SECONDS_MAX, serving, stub_of

MODULES_AT_EXIT = """\
import atexit, runpy, sys

atexit.register(lambda: print(*sys.modules))
runpy.run_module(sys.argv.pop(), run_name="__main__")
"""
"""Runs the program that the last argument names; its last line names all modules that it has loaded."""
NEEDED_LATER = {
    "alembic",
    "attr",
    "batchprogress._calls",
    "batchprogress._reporting",
    "batchprogress.client",
    "celery",
    "cryptography",
    "grpc_channelz.v1",
    "grpc_reflection.v1alpha",
    "jwt",
    "kubernetes",
    "opentelemetry",
    "pydantic_settings",
    "pygments",
    "redis",
    "rich.progress",
    "rq",
    "sqlalchemy.ext.asyncio",
    "sqlalchemy.orm",
}
"""What no start needs: upgrades, the client, queues, tokens, certificates, traces, the object-relational
mapper, and what people use who look into a server. Each costs hundredths of a second of CPU, or tenths."""


@pytest.fixture
async def database_url(tmp_path: Path) -> str:
    """An SQLite file with its tables, as every start but the first finds it."""
    url = f"sqlite+aiosqlite:///{tmp_path}/batches.db"
    database = Database(url, connections_max=1)
    await migrate.upgrade(database)
    await database.close()
    return url


async def start(program: str, database_url: str) -> asyncio.subprocess.Process:
    """Start a program that prints at its end what it has loaded."""
    settings = {"BATCHES_DATABASE_URL": database_url, "PROGRESS_LISTEN": "127.0.0.1:0"}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", MODULES_AT_EXIT, program),
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def loaded(output: bytes) -> set[str]:
    """Return what a program has loaded."""
    return set(output.decode().splitlines()[-1].split())


async def test_a_server_answers_without_what_it_needs_later(database_url: str) -> None:
    """It has created a batch, recorded a result, and read the batch."""
    process = await start("services.progress", database_url)
    assert process.stdout is not None
    async with serving(process) as server:
        async with grpc.aio.insecure_channel(server.target) as channel:
            stub = stub_of(channel)
            await stub.CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=1))
            outcome = pb.JOB_OUTCOME_SUCCEEDED
            await stub.ReportJobResult(pb.ReportJobResultRequest(batch_id="b", job_id="1", outcome=outcome))
            await stub.GetBatch(pb.GetBatchRequest(batch_id="b"))
        server.send(signal.SIGTERM)
        output = await process.stdout.read()
    assert "sqlalchemy" in loaded(output)
    assert loaded(output) & NEEDED_LATER == set()


async def test_a_pass_ends_without_what_it_needs_later(database_url: str) -> None:
    """A pass without a stuck batch, as most are."""
    process = await start("reconciler", database_url)
    async with asyncio.timeout(STOP_SECONDS_MAX):
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert "sqlalchemy" in loaded(output)
    assert loaded(output) & NEEDED_LATER == set()
