"""The bar beside a real server."""

import asyncio
import io
import traceback

import pytest

from batchprogress import BatchNotFound, bar
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client.test_watching import JOBS, SECONDS_MAX, report
from tests.support.progress import Served


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


async def test_a_bar_is_one_line_in_a_terminal_and_lines_elsewhere(progress: Served, target: str) -> None:
    """A terminal gets a line that is redrawn; a log gets whole lines, each once, with the end as the last."""
    await progress.create("b", JOBS)
    outputs = (Terminal(), io.StringIO())
    bars = [asyncio.create_task(asyncio.to_thread(bar, target, "b", file=output)) for output in outputs]
    async with asyncio.timeout(SECONDS_MAX):
        while not all(output.getvalue() for output in outputs):  # noqa: ASYNC110  # other threads write it
            await asyncio.sleep(0.01)
        await report(progress, 0, JOBS)
        last = [await one for one in bars]
    assert [batch.state for batch in last] == [pb.BATCH_STATE_COMPLETED] * 2
    drawn, logged = (output.getvalue() for output in outputs)
    assert drawn.startswith("\r  0 %")
    assert drawn.count("\n") == 1
    assert "100 %" in drawn.split("\r")[-1]
    lines = logged.splitlines()
    assert "\r" not in logged
    assert len(lines) == len(set(lines))
    assert lines[0].startswith("  0 %")
    assert lines[-1].endswith("20/20, completed")


async def test_an_unknown_batch_is_one_error(progress: Served, target: str) -> None:
    """A script shows its sentence, not gRPC's error above it."""
    del progress
    with pytest.raises(BatchNotFound, match="there is no batch 'none'") as raised:
        await asyncio.to_thread(bar, target, "none", file=io.StringIO())
    assert "direct cause" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.more("waits until a rate has expired, which takes ten seconds")
async def test_a_bar_is_redrawn_while_no_message_arrives(progress: Served, target: str) -> None:
    """The rate disappears without a message, and the line says since when there was no result."""
    await progress.create("b", 200)
    results = [
        pb.ReportJobResultRequest(batch_id="b", job_id=str(one), outcome=pb.JOB_OUTCOME_SUCCEEDED)
        for one in range(100)
    ]
    await progress.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))
    output = Terminal()
    showing = asyncio.create_task(asyncio.to_thread(bar, target, "b", file=output))
    async with asyncio.timeout(SECONDS_MAX):
        while "100/200, no result for 1" not in output.getvalue():  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.05)
        await progress.stub.CancelBatch(pb.CancelBatchRequest(batch_id="b"))
        await showing
    assert "/s, 0:01 left" in output.getvalue()
    assert output.getvalue().split("\r")[-1].rstrip("\n").endswith("100/200, cancelled\x1b[K")
