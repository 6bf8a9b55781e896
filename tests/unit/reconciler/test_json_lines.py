"""JSON lines, however slowly they are read."""

import asyncio
import os
import threading
from contextlib import suppress

from batches.repair import RepairPlan
from reconciler.decision.reasons import ReasonKind
from reconciler.output.json_lines import JsonLines, values_of
from reconciler.run.result import BatchInProgress, BatchResult
from tests.support.samples import BATCH
from tests.unit.reconciler.decisions import because

SECONDS_MAX = 10.0
RESULT = BatchResult(BATCH, BATCH)
LINES = 1_000
"""Several times as many as a pipe holds."""


async def test_a_slow_reader_blocks_no_other_task() -> None:
    """While a line waits for its reader, the event loop keeps running; in the end all lines are read."""
    reading, writing = os.pipe()
    loop_goes_on = threading.Event()

    def read() -> tuple[bool, int]:
        in_time = loop_goes_on.wait(SECONDS_MAX)
        with os.fdopen(reading, encoding="utf-8") as lines:
            return in_time, sum(1 for _ in lines)

    reader = asyncio.create_task(asyncio.to_thread(read))
    with os.fdopen(writing, "w", encoding="utf-8") as out:
        lines = JsonLines(out)
        written = asyncio.gather(*(lines.write(RESULT) for _ in range(LINES)))
        await asyncio.sleep(0)
        assert not written.done()
        loop_goes_on.set()
        await written
    assert await reader == (True, LINES)


async def test_a_full_disk_does_not_end_the_pass() -> None:
    """It is remembered, and raises nothing."""
    with suppress(OSError), os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", encoding="utf-8") as full:
        lines = JsonLines(full)
        await lines.write(RESULT)
    assert lines.is_broken


def test_each_line_of_a_dry_run_says_that_nothing_was_written() -> None:
    """A program may read a line without the summary."""
    missing = BatchInProgress(BATCH)
    missing.add_repair(RepairPlan("batch", 1), (because(ReasonKind.MISSING_LISTED, 3, 10),), BATCH)
    line = values_of(missing.result(None), dry_run=True)
    assert (line["dry_run"], line["repaired"]) == (True, True)
    assert line["reasons"] == ["3 of 10 results were missing; would be taken from the queue's list"]
