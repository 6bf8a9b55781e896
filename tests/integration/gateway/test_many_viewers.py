"""Many viewers of one batch, as the benchmark opens them."""

import asyncio
import re
import sys

import pytest

from tests.support.progress import ROOT

VIEWERS = 300
"""The benchmark has 5,000."""
KIB_MAX = 60
"""A viewer takes 21 KiB; among fewer of them each has a larger share of what all use."""


@pytest.mark.more("starts two servers")
async def test_many_viewers_are_one_watch_and_see_the_end_after_a_restart() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.event_viewers"),
        *("--viewers", str(VIEWERS), "--jobs", "5", "--seconds", "1"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    out = (await process.communicate())[0].decode()
    assert process.returncode == 0
    assert "1 watch upstream" in out
    assert "all had the end" in out
    found = re.search(r"([\d.]+) KiB each", out)
    assert found
    assert float(found[1]) < KIB_MAX
