"""The README: its Python blocks run as they stand."""

import asyncio
import os
import sys
from pathlib import Path

from tests.docs.markdown import ROOT, blocks
from tests.support.progress import served

README = ROOT / "README.md"
ADDRESS = "127.0.0.1:50051"
JOBS = 1_037
SCRIPT_SECONDS_MAX = 120.0
"""Ends a script that waits for ever; it takes a second or two."""


def script(target: str) -> str:
    """Return all Python blocks as one program, which reports the other jobs before it watches."""
    create, report, watch = (block.text for block in blocks(README) if block.language == "python")
    others = f"for number in range(1, {JOBS + 1}):\n    reporter.succeeded(str(number))\nreporter.flush()\n"
    parts = ("def sync_row(row): ...\n", create, report, others, watch)
    return "\n".join(parts).replace(ADDRESS, target)


async def test_the_blocks_create_report_and_watch_a_batch(tmp_path: Path) -> None:
    """A reader who pastes the blocks into one program sees the batch end."""
    async with served(f"sqlite+aiosqlite:///{tmp_path}/t.db") as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", script(f"127.0.0.1:{server.port}")),
            env=os.environ,
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(SCRIPT_SECONDS_MAX):
            output, _ = await process.communicate()
    assert process.returncode == 0
    assert output.decode().splitlines()[-1].startswith("100 %, 0 failed")
