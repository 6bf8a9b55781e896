"""Viewers of events go on after restarts."""

import signal
from collections.abc import AsyncGenerator

import pytest

from tests.support.events import Event, events
from tests.support.eventually import eventually
from tests.support.gateway import Door, gateway, gateway_process
from tests.support.progress import Served, progress_process


@pytest.mark.more("starts a process")
async def test_a_viewer_goes_on_after_a_restart_of_the_gateway(progress: Served) -> None:
    """The stream just ends at SIGTERM, and the next gateway resumes it by Last-Event-ID."""
    await progress.create("b", 2)
    async with gateway_process(f"127.0.0.1:{progress.port}") as process:
        async with events(Door(process.port), "b") as found:
            known = (await anext(found)).event_id
            process.send(signal.SIGTERM)
            assert [event async for event in found] == []
        assert await process.ended() == 0
    assert "Traceback" not in process.log
    assert known is not None
    await progress.report("b", "1")
    await progress.report("b", "2")
    async with (
        gateway(f"127.0.0.1:{progress.port}") as door,
        events(door, "b", last_event_id=known) as found,
    ):
        seen = [event.name async for event in found]
    assert seen == ["batch", "ended"]


@pytest.mark.more("starts two servers as processes")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_viewer_goes_on_after_a_restart_of_the_server(
    sqlite_url: str, number: signal.Signals
) -> None:
    """Its stream stays open: it is told of the problem, and sees the end."""
    async with progress_process(sqlite_url) as first, gateway(first.target) as door:
        await door.call("CreateBatch", batchId="b", totalJobs=1)
        async with events(door, "b") as found:
            await anext(found)
            first.send(number)
            await first.ended()
            problem = await anext(found)
            assert (problem.name, problem.json["code"]) == ("problem", "unavailable")
            async with progress_process(sqlite_url, listen=first.target):
                assert (await _next_batch(found)).json["percentComplete"] == 0
                await eventually(lambda: _reports(door))
                assert (await _next_batch(found)).json["state"] == "BATCH_STATE_COMPLETED"
                assert [event.name async for event in found] == ["ended"]


async def _next_batch(found: AsyncGenerator[Event, None]) -> Event:
    while (event := await anext(found)).name != "batch":
        assert event.name == "problem"
    return event


async def _reports(door: Door) -> bool:
    answer = await door.call("ReportJobResult", batchId="b", jobId="1", outcome="JOB_OUTCOME_SUCCEEDED")
    return answer.status == 200
