"""The event stream of a batch's page."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable

import grpc

from batchprogress.v1 import progress_pb2 as pb
from tests.support.dashboard import Event, Page, dashboard
from tests.support.progress import Served, progress_process, served, stub_of

VIEWERS = 300
PARTS = ("succeeded", "failed", "skipped", "pending")


async def test_a_page_gets_each_state_up_to_the_end(progress: Served, page: Page) -> None:
    """The stream begins with the current state and ends with the final one; in each, the tallies add up."""
    await progress.create("b", 3)
    await progress.report("b", "1", pb.JOB_OUTCOME_FAILED, error_type="KeyError")
    async with page.events("b") as events:
        history, first = await anext(events), await anext(events)
        assert [point[1:] for point in history.data] == [[1, 1]]
        for job_id in "23":
            await progress.report("b", job_id)
        states = [first, *[event async for event in events]]
    assert (history.name, {event.name for event in states}) == ("history", {"state"})
    assert (states[-1].data["state"], states[-1].data["percent_complete"]) == ("COMPLETED", 100)
    revisions = [int(event.data["revision"]) for event in states]
    assert revisions == sorted(set(revisions))
    for event in states:
        assert sum(int(event.data[f"{part}_jobs"]) for part in PARTS) == int(event.data["total_jobs"])


async def test_a_page_of_an_unknown_batch_says_so(page: Page) -> None:
    """The stream ends after this event."""
    async with page.events("..") as events:
        assert [event.name async for event in events] == ["unknown"]


async def test_viewers_of_a_batch_share_one_watch(sqlite_url: str) -> None:
    """Hundreds of viewers see the end of a batch on a server that allows one watch."""
    async with (
        served(sqlite_url, watches_max=1) as progress,
        dashboard(f"127.0.0.1:{progress.port}") as page,
    ):
        await progress.create("b", 2)
        viewing = [asyncio.create_task(_end(page, "b")) for _ in range(VIEWERS)]
        await progress.report("b", "1")
        await progress.report("b", "2")
        assert await asyncio.gather(*viewing) == ["COMPLETED"] * VIEWERS


async def test_viewers_beyond_the_limit_are_refused(progress: Served) -> None:
    """The refused viewer gets an event that says so; the others see all changes."""
    await progress.create("b", 1)
    async with dashboard(f"127.0.0.1:{progress.port}", viewers_max=1) as page, page.events("b") as events:
        await _until(events, lambda event: event.name == "state")
        async with page.events("b") as too_many:
            assert [event.name async for event in too_many] == ["problem"]
        await progress.report("b", "1")
        await _until(events, lambda event: event.data["state"] == "COMPLETED")


async def test_a_stream_survives_a_restart_of_the_server(sqlite_url: str) -> None:
    """While the server is unavailable the stream says so; after its restart the same stream continues."""
    async with progress_process(sqlite_url) as first:
        target = first.target
        async with grpc.aio.insecure_channel(target) as channel:
            request = pb.CreateBatchRequest(batch_id="b", total_jobs=1)
            await stub_of(channel).CreateBatch(request)
        async with dashboard(target) as page, page.events("b") as events:
            await _until(events, lambda event: event.name == "state")
            first.send(signal.SIGKILL)
            problem = await _until(events, lambda event: event.name == "problem")
            assert problem.data["message"] == "The progress server does not answer."
            async with progress_process(sqlite_url, listen=target) as second:
                await _until(events, lambda event: event.name == "state")
                await _report(second.target)
                await _until(events, lambda event: event.data["state"] == "COMPLETED")


async def _report(target: str) -> None:
    async with grpc.aio.insecure_channel(target) as channel:
        request = pb.ReportJobResultRequest(batch_id="b", job_id="1", outcome=pb.JOB_OUTCOME_SUCCEEDED)
        await stub_of(channel).ReportJobResult(request, wait_for_ready=True)


async def _end(page: Page, batch_id: str) -> str:
    """View a batch to its end and return its last state."""
    async with page.events(batch_id) as events:
        return str([event.data["state"] async for event in events if event.name == "state"][-1])


async def _until(events: AsyncIterator[Event], is_awaited: Callable[[Event], bool]) -> Event:
    """Return the first event for which `is_awaited` is true."""
    async for event in events:
        if is_awaited(event):
            return event
    raise AssertionError("the stream ended without this event")
