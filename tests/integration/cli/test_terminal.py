"""Bars in a terminal: keys, another width, a stall."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pexpect
import pytest

from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from database_servers.ports import free_port
from tests.integration.cli.command import ESCAPES, SECONDS_MAX
from tests.integration.cli.test_watching import job, reporting
from tests.integration.store.steps import execute
from tests.support.progress import ROOT

pytestmark = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)

ROWS, COLUMNS, NARROW_COLUMNS = 30, 110, 50
NAME = "a-batch-with-a-rather-long-name-that-needs-its-room"


@contextmanager
def watching(server: str, *batch_ids: str) -> Iterator["pexpect.spawn[str]"]:
    """Watch batches in a terminal that passes keys to the command."""
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "batchprogress", "watch", *batch_ids, "--server", server],
        cwd=str(ROOT),
        env={**_environment(), "TERM": "xterm-256color"},
        dimensions=(ROWS, COLUMNS),
        encoding="utf-8",
        timeout=SECONDS_MAX,
    )
    try:
        yield terminal
    finally:
        terminal.close(force=True)


async def shows(terminal: "pexpect.spawn[str]", pattern: str) -> str:
    """Wait until the terminal shows the pattern; return everything written up to its end."""
    await asyncio.to_thread(terminal.expect, pattern)
    return ESCAPES.sub("", f"{terminal.before}{terminal.after}")


@pytest.mark.more("follows a batch for seconds")
async def test_a_bar_follows_its_batch_and_its_terminal(database_url: str, database: Database) -> None:
    """It moves, fits a narrower terminal, shows a stall, and ends with Ctrl-C: 130."""
    listen = f"127.0.0.1:{free_port()}"
    async with reporting(database_url, listen) as stub:
        await stub.CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=4, display_name=NAME))
        with watching(listen, "b") as terminal:
            await shows(terminal, r"0/4")
            await stub.ReportJobResult(job("j1"))
            await shows(terminal, r"1/4")
            terminal.setwinsize(ROWS, NARROW_COLUMNS)
            await stub.ReportJobResult(job("j2"))
            drawn = (await shows(terminal, r"2/4")).splitlines()[-1]
            assert len(drawn) <= NARROW_COLUMNS
            terminal.setwinsize(ROWS, COLUMNS)
            long_ago = "2026-01-01 00:00:00.000000"
            await execute(database, "UPDATE batches SET last_result_time = :then", then=long_ago)
            await shows(terminal, r"no result for")
            terminal.sendcontrol("c")
            await asyncio.to_thread(terminal.expect, pexpect.EOF)
            terminal.close()
            assert terminal.exitstatus == 130
            assert "Traceback" not in str(terminal.before)


def _environment() -> dict[str, str]:
    """Return the environment without the settings of the developer's own terminal."""
    unset = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}
    return {name: value for name, value in os.environ.items() if name not in unset}
