"""docs/upgrading.md: what it says about servers and clients of 0.1 and 0.2 beside each other."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.first_version import THIS_VERSION, Version, unpack_first_version
from tests.support.next_version import run_upgrade
from tests.support.progress import ProgressProcess, start_from

pytestmark = pytest.mark.more("starts servers and clients of two versions")

SCRIPT_SECONDS_MAX = 120.0
"""Ends a script that waits for ever; each takes a few seconds."""
OLD_NAMES = """\
import asyncio
import sys

from batchprogress import (
    AsyncReporter, Batches, BatchNotChanged, BatchNotFound, Counts, Job, ProgressError, Reporter,
    ReportNotTaken, ReportsRefused, ReportsUnsent, TlsFiles, bar, watch, watch_async,
)

target, batch_id = sys.argv[1:]
batches = Batches(target, strict=True)
assert batches.create(batch_id, 0, sealed=False)
assert batches.add_jobs(batch_id, 3, "all")
assert batches.seal(batch_id)
try:
    batches.add_jobs(batch_id, 1, "more")
except BatchNotChanged as error:
    assert error.reason == "BATCH_SEALED"
with Reporter(target, batch_id) as reporter:
    reporter.succeeded("1")
    reporter.failed("2", "no answer", error_type="TimeoutError", attempt=2)


async def main():
    async with AsyncReporter(target, batch_id) as reporter:
        reporter.skipped("3")
    async for batch in watch_async(target, batch_id):
        pass
    print(batch.percent_complete, batch.failed_jobs, batch.skipped_jobs)


asyncio.run(main())
for batch in watch(target, batch_id):
    pass
print(batch.percent_complete, batch.failed_jobs, batch.skipped_jobs)
try:
    next(watch(target, "unknown"))
except BatchNotFound as error:
    assert error.batch_id == "unknown"
"""
"""A program of 0.1 that uses every name of its package, and prints the same line twice."""
NEW_NAMES = """\
import sys

from batchprogress import Client

target, batch_id = sys.argv[1:]
client = Client(target)
client.create(batch_id, 3)
with client.reporter(batch_id) as reporter:
    reporter.succeeded("1")
    reporter.failed("2", "no answer", error_type="TimeoutError")
    reporter.skipped("3")
for _ in range(2):
    batch = client.wait(batch_id, timeout=60)
    print(batch.percent_complete, batch.failed_jobs, batch.skipped_jobs)
"""
IF_ENDED = """\
import sys

from batchprogress import Client, ServerTooOld

target, batch_id = sys.argv[1:]
client = Client(target)
with client.reporter(batch_id) as reporter:
    for if_ended in ("error", "replace"):
        client.create(batch_id, 1, if_ended=if_ended)
    reporter.succeeded("1", display_name="a server of 0.1 does not keep it")
for if_ended in ("error", "replace"):
    try:
        client.create(batch_id, 1, if_ended=if_ended)
    except ServerTooOld as error:
        print(error.reason)
print(client.get(batch_id).succeeded_jobs)
"""
LIMITED = """\
import sys

from batchprogress import BatchConflict, Client, ServerTooOld

target, batch_id, *failed = sys.argv[1:]
client = Client(target)
try:
    print(client.create(batch_id, 9, max_failed_jobs=1).revision)
except (BatchConflict, ServerTooOld) as error:
    print(error.reason)
with client.reporter("made-by-0.2") as reporter:
    for job_id in failed:
        reporter.failed(job_id)
batch = client.get("made-by-0.2")
print(batch.state, batch.failed_jobs, batch.cancel_reason)
"""
"""Creates a batch with a failure limit, and lets jobs of another one fail."""
QUIET_WATCH = """\
import sys
import threading

from batchprogress import Client
from batchprogress._calls import liveness, silence_guard

silences = []
original = silence_guard.StreamSilent
silence_guard.StreamSilent = lambda seconds: silences.append(seconds) or original(seconds)
liveness.SILENT_SECONDS_MAX = 0.5
target, batch_id = sys.argv[1:]
client = Client(target)
client.create(batch_id, 1)


def report():
    with client.reporter(batch_id) as reporter:
        reporter.succeeded("1")


threading.Timer(2.0, report).start()
print(*(batch.percent_complete for batch in client.watch(batch_id)), len(silences))
"""
"""A watch that is quiet for four times as long as a stream with heartbeats may be silent."""
OLD_WATCH = """\
import sys

from batchprogress import watch

print(*(batch.percent_complete for batch in watch(*sys.argv[1:])))
"""
SHOWN = ["100 1 1"] * 2


@pytest.fixture(scope="module")
def first_version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    """Return version 0.1."""
    return unpack_first_version(tmp_path_factory.mktemp("version-0.1"))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the URL of a database that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path}/batches.db"


@asynccontextmanager
async def server_of(version: Version, url: str) -> AsyncIterator[str]:
    """Run the server of a version while the context is open; yields its address."""
    settings = {"BATCHES_DATABASE_URL": url, "PROGRESS_LISTEN": "127.0.0.1:0", **version.environment}
    server = ProgressProcess(await start_from(version.checkout, settings))
    try:
        await server.read_port()
        yield server.target
    finally:
        server.send(signal.SIGTERM)
        assert await server.ended() == 0


async def run_client(version: Version, script: str, *arguments: str) -> tuple[list[str], str]:
    """Run a program with the client of a version; return the lines that it prints, and its warnings."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "always::DeprecationWarning:__main__", "-c", script, *arguments),
        env={**os.environ, **version.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SCRIPT_SECONDS_MAX):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode().splitlines(), errors.decode()


async def test_workers_of_0_1_report_to_a_server_of_0_2(first_version: Version, url: str) -> None:
    """A program with the client of 0.1 creates, reports and watches."""
    async with server_of(THIS_VERSION, url) as target:
        assert await run_client(first_version, OLD_NAMES, target, "old") == (SHOWN, "")


async def test_clients_of_0_2_work_with_a_server_of_0_1(first_version: Version, url: str) -> None:
    """A program with the client of 0.2 creates, reports and watches."""
    async with server_of(first_version, url) as target:
        assert await run_client(THIS_VERSION, NEW_NAMES, target, "new") == (SHOWN, "")


async def test_quiet_watch_of_a_server_of_0_1_is_not_taken_for_dead(first_version: Version, url: str) -> None:
    """It ignores the request for heartbeats; its stream stays open until the batch changes."""
    async with server_of(first_version, url) as target:
        assert await run_client(THIS_VERSION, QUIET_WATCH, target, "quiet") == (["0 100 0"], "")


async def test_a_server_of_0_1_is_too_old_for_if_ended(first_version: Version, url: str) -> None:
    """It ignores what it does not know; the client of 0.2 notices, and nothing is deleted."""
    async with server_of(first_version, url) as target:
        shown, _ = await run_client(THIS_VERSION, IF_ENDED, target, "new")
    assert shown == ["IF_ENDED_IGNORED", "IF_ENDED_IGNORED", "1"]


async def test_limit_that_a_server_of_0_1_ignores_holds_at_the_next_server_of_0_2(
    first_version: Version, url: str
) -> None:
    """Neither version refuses a report, and what an old server has created stays without a limit."""
    await run_upgrade(THIS_VERSION.checkout, url)
    async with server_of(THIS_VERSION, url) as new, server_of(first_version, url) as old:
        shown = [
            await run_client(THIS_VERSION, LIMITED, new, "made-by-0.2"),
            await run_client(THIS_VERSION, LIMITED, old, "made-by-0.1", "1", "2"),
            await run_client(THIS_VERSION, LIMITED, new, "made-by-0.1", "3"),
        ]
    assert [lines for lines, _ in shown] == [
        ["1", "processing 0 None"],
        ["FAILURE_LIMIT_IGNORED", "processing 2 None"],
        ["BATCH_CONFLICT", "cancelled 3 failure_limit"],
    ]


async def test_the_names_of_0_1_work_with_a_warning(url: str) -> None:
    """A program of 0.1 runs unchanged with the client of 0.2, which names what replaces each old name."""
    async with server_of(THIS_VERSION, url) as target:
        shown, warnings = await run_client(THIS_VERSION, OLD_NAMES, target, "old")
    assert shown == SHOWN
    for old in ("Batches", "BatchNotChanged", "watch", "watch_async"):
        assert f"batchprogress.{old} is deprecated" in warnings


async def test_a_database_of_0_1_goes_to_0_2_and_back(first_version: Version, url: str) -> None:
    """The order is that of docs/upgrading.md: migrations, servers, workers; then the old server again."""
    async with server_of(first_version, url) as target:
        await run_client(first_version, OLD_NAMES, target, "before")
    await run_upgrade(THIS_VERSION.checkout, url)
    async with server_of(THIS_VERSION, url) as target:
        await run_client(first_version, OLD_NAMES, target, "between")
        await run_client(THIS_VERSION, NEW_NAMES, target, "after")
    async with server_of(first_version, url) as target:
        assert await run_client(first_version, OLD_NAMES, target, "back") == (SHOWN, "")
        for batch_id in ("before", "between", "after"):
            assert await run_client(first_version, OLD_WATCH, target, batch_id) == (["100"], "")
