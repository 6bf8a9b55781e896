"""Lines for programs, however they are read."""

import asyncio
import os
import threading
from contextlib import suppress

from reconciler.output.json_lines import JsonLines
from reconciler.run.result import Looked
from tests.support.samples import BATCH

SECONDS_MAX = 10.0
LOOKED = Looked(BATCH, BATCH)
LINES = 1_000
"""Several times what a pipe holds."""


async def test_a_reader_who_takes_nothing_holds_up_no_other_task() -> None:
    """While a line waits for its reader the event loop goes on; then all are read."""
    reading, writing = os.pipe()
    loop_goes_on = threading.Event()

    def read() -> tuple[bool, int]:
        in_time = loop_goes_on.wait(SECONDS_MAX)
        with os.fdopen(reading, encoding="utf-8") as lines:
            return in_time, sum(1 for _ in lines)

    reader = asyncio.create_task(asyncio.to_thread(read))
    with os.fdopen(writing, "w", encoding="utf-8") as out:
        lines = JsonLines(out)
        told = asyncio.gather(*(lines.looked(LOOKED) for _ in range(LINES)))
        await asyncio.sleep(0)
        assert not told.done()
        loop_goes_on.set()
        await told
    assert await reader == (True, LINES)


async def test_lines_that_cannot_be_written_end_no_pass() -> None:
    """A full disk is noted, and raises nothing."""
    with suppress(OSError), os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", encoding="utf-8") as full:
        lines = JsonLines(full)
        await lines.looked(LOOKED)
    assert lines.is_broken
