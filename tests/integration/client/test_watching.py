"""Watching through whatever happens to the server, and the bar."""

import asyncio
import io
import signal
from itertools import pairwise

import pytest

from batchprogress import BatchNotFound, bar, watch, watch_async
from batchprogress.v1 import progress_pb2 as pb
from tests.faults.cluster import Cluster
from tests.support.progress import Served

SECONDS_MAX = 60.0
JOBS = 20


class Watched:
    """The states that a watch has yielded, and the news of them."""

    def __init__(self) -> None:
        """Begin without any."""
        self.batches: list[pb.Batch] = []
        self._news = asyncio.Condition()

    async def take(self, batch: pb.Batch) -> None:
        """Note a state."""
        async with self._news:
            self.batches.append(batch)
            self._news.notify_all()

    async def succeeded(self, jobs: int) -> None:
        """Wait until a state told of so many."""
        async with asyncio.timeout(SECONDS_MAX), self._news:
            await self._news.wait_for(lambda: self.batches and self.batches[-1].succeeded_jobs >= jobs)


async def report(progress: Served, first: int, last: int) -> None:
    """Report jobs, to a server that may just be back."""
    for number in range(first, last):
        request = pb.ReportJobResultRequest(
            batch_id="b", job_id=f"j{number}", outcome=pb.JOB_OUTCOME_SUCCEEDED
        )
        await progress.stub.ReportJobResult(request, wait_for_ready=True)


async def read(target: str, watched: Watched, *, threaded: bool) -> None:
    """Watch the batch to its end with one of the two iterators."""
    if not threaded:
        async for batch in watch_async(target, "b"):
            await watched.take(batch)
        return
    loop = asyncio.get_running_loop()

    def read_all() -> None:
        for batch in watch(target, "b"):
            asyncio.run_coroutine_threadsafe(watched.take(batch), loop).result(SECONDS_MAX)

    await asyncio.to_thread(read_all)


@pytest.mark.parametrize("threaded", [True, False])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_watch_goes_on_through_a_restart_and_ends_with_the_batch(
    servers: Cluster, progress: Served, target: str, how: signal.Signals, *, threaded: bool
) -> None:
    """However the server ended, nothing is told twice or missed at the end: revisions rise up to the last."""
    await progress.create("b", JOBS)
    watched = Watched()
    watching = asyncio.create_task(read(target, watched, threaded=threaded))
    await report(progress, 0, JOBS // 2)
    await watched.succeeded(JOBS // 2)
    await servers.end(0, how)
    await servers.start(0)
    await report(progress, JOBS // 2, JOBS)
    async with asyncio.timeout(SECONDS_MAX):
        await watching
    revisions = [batch.revision for batch in watched.batches]
    assert all(before < after for before, after in pairwise(revisions))
    last = watched.batches[-1]
    assert (last.state, last.percent_complete) == (pb.BATCH_STATE_COMPLETED, 100)


async def test_a_watch_begins_after_the_revision_it_is_given(progress: Served, target: str) -> None:
    """Of a batch that ended before the revision nothing is yielded, over a channel that stays open."""
    await progress.create("b", 1)
    await report(progress, 0, 1)
    revision = (await progress.get("b")).revision
    assert [batch async for batch in watch_async(progress.channel, "b", after_revision=revision)] == []
    assert await asyncio.to_thread(lambda: list(watch(target, "b", after_revision=revision))) == []
    assert [batch.revision async for batch in watch_async(progress.channel, "b")] == [revision]


async def test_a_watch_of_no_batch_says_so(target: str) -> None:
    """BatchNotFound names the batch, at once."""
    with pytest.raises(BatchNotFound, match="'b'"):
        await asyncio.to_thread(lambda: list(watch(target, "b")))
    with pytest.raises(BatchNotFound, match="'b'"):
        _ = [batch async for batch in watch_async(target, "b")]


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


async def test_a_bar_is_one_line_in_a_terminal_and_lines_elsewhere(progress: Served, target: str) -> None:
    """The bar shows every step in place on a terminal; a log gets whole lines, each once, the end always."""
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


async def test_a_bar_follows_the_time_while_nothing_comes(progress: Served, target: str) -> None:
    """A rate that no message has changed falls all the same, and is not there any more at the end."""
    await progress.create("b", 200)
    results = [
        pb.ReportJobResultRequest(batch_id="b", job_id=str(one), outcome=pb.JOB_OUTCOME_SUCCEEDED)
        for one in range(100)
    ]
    await progress.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))
    output = Terminal()
    showing = asyncio.create_task(asyncio.to_thread(bar, target, "b", file=output))
    async with asyncio.timeout(SECONDS_MAX):
        while len({line for line in output.getvalue().split("\r") if "/s, " in line}) < 2:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.05)
        await progress.stub.CancelBatch(pb.CancelBatchRequest(batch_id="b"))
        await showing
    assert output.getvalue().split("\r")[-1].rstrip("\n").endswith("100/200, cancelled\x1b[K")
