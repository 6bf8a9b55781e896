"""The page goes on after a stream that falls silent."""

import asyncio

import pytest

from batchprogress import AsyncClient
from batchprogress._calls import liveness
from services.dashboard.progress_client import ProgressClient
from services.dashboard.viewer_hub import ViewerHub
from tests.integration.client.test_silent_streams import ENDED, SILENT, SILENT_SECONDS, Server
from tests.support.http2_server import http2_server

SECONDS_MAX = 30.0


async def test_view_of_a_batch_goes_on_after_a_silent_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its viewers see the end, and no problem: the next stream was opened at once."""
    monkeypatch.setattr(liveness, "SILENT_SECONDS_MAX", SILENT_SECONDS)
    server = Server(SILENT["announced-heartbeats"])
    async with http2_server(server.answer_to) as target, AsyncClient(target, retry=False) as client:
        hub = ViewerHub(ProgressClient(client, 1), viewers_max=1, watches_max=1)
        async with asyncio.timeout(SECONDS_MAX):
            views = [view async for view, _ in hub.view("b")]
        await hub.close()
    assert [view.problem for view in views] == [None] * len(views)
    assert views[-1].state is not None
    assert views[-1].state.revision == ENDED.revision
    assert len(server.watches) == 2
