"""The README's picture of a terminal is what the command draws; `make terminal-image` takes it."""

import asyncio
import io
import os
import re
import sys
from pathlib import Path

import pexpect
from rich.console import Console
from rich.text import Text

from batchprogress.v1 import progress_pb2 as pb
from tests.docs.markdown import ROOT
from tests.support.progress import Served, served

VARIABLE = "TERMINAL_IMAGE"
"""Set: the picture is replaced."""
ROWS, COLUMNS = 10, 92
SECONDS_MAX = 60
FRAME_END = re.compile(r"\r\x1b\[2K(?:\x1b\[1A\x1b\[2K)*")
"""How rich goes back to the first line of its bars."""
BATCHES = {"sync-2026-11": (1_037, 520, 6), "monthly-mails": (400, 319, 0)}
"""Total, ended and failed jobs of each."""


async def report(server: Served, batch_id: str, ended: int, failed: int) -> None:
    """Report the first jobs of a batch."""
    results = [
        pb.ReportJobResultRequest(
            batch_id=batch_id,
            job_id=str(number),
            outcome=pb.JOB_OUTCOME_FAILED if number < failed else pb.JOB_OUTCOME_SUCCEEDED,
        )
        for number in range(ended)
    ]
    await server.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))


def watched(server: Served) -> str:
    """Return what `batchprogress watch` draws once both batches are shown as reported."""
    command = ["-m", "batchprogress", "watch", *BATCHES, "--server", f"127.0.0.1:{server.port}"]
    terminal = pexpect.spawn(
        sys.executable,
        command,
        env={**os.environ, "TERM": "xterm-256color"},
        dimensions=(ROWS, COLUMNS),
        encoding="utf-8",
        timeout=SECONDS_MAX,
    )
    drawn = ""
    while not all(f"{ended}/{total:,}" in drawn for total, ended, _ in BATCHES.values()):
        terminal.expect(FRAME_END)
        drawn = str(terminal.before).replace("\r\n", "\n")
    terminal.close(force=True)
    return drawn


def picture(drawn: str) -> str:
    """Return an SVG of a terminal with this text."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(f"$ batchprogress watch {' '.join(BATCHES)}\n{drawn.strip()}"))
    return console.export_svg(title="batchprogress watch")


async def test_the_picture_shows_what_the_command_draws(tmp_path: Path) -> None:
    """A new picture has the same batches and numbers as the one in the README."""
    async with served(f"sqlite+aiosqlite:///{tmp_path}/t.db") as server:
        for batch_id, (total, ended, failed) in BATCHES.items():
            await server.create(batch_id, total)
            await report(server, batch_id, ended, failed)
        compare(picture(await asyncio.to_thread(watched, server)))


def compare(new: str) -> None:
    """Compare the batches and numbers of a new picture with the README's, or replace that."""
    image = ROOT / "docs/images/watch.svg"
    if VARIABLE in os.environ:
        image.write_text(new, encoding="utf-8")
    shown = image.read_text(encoding="utf-8")
    for expected in (*BATCHES, *(f"{ended}/{total:,}" for total, ended, _ in BATCHES.values())):
        assert expected in new
        assert expected in shown
