"""Following many batches, beside a server whose answers the test decides."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from batchprogress.cli import following
from batchprogress.cli.following_selection import Selection, follow_selection
from batchprogress.models import Batch
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.cli.decided_server import decided_server

SECONDS_MAX = 20.0
STALL = "no result for 1 min"


def state(batch_id: str, revision: int, stall: str = "") -> pb.Batch:
    """Return a state of a batch that is processing."""
    return pb.Batch(batch_id=batch_id, revision=revision, state=pb.BATCH_STATE_PROCESSING, stall_reason=stall)


class Quiet:
    """Serves a stream of two quiet batches, of which one is deleted once the other's stall is shown."""

    def __init__(self) -> None:
        self.stalled = asyncio.Event()

    def get(self, request: pb.GetBatchRequest) -> pb.Batch:
        """Answer that one batch has stalled."""
        return state(request.batch_id, 1, STALL if request.batch_id == "stalled" else "")

    async def watch(self, request: pb.WatchBatchesRequest) -> AsyncIterator[pb.WatchBatchesResponse]:
        """Bring both batches, and that one is gone."""
        assert (dict(request.labels), request.batch_id_prefix) == ({"team": "data"}, "s")
        for batch_id in ("stalled", "slow"):
            yield pb.WatchBatchesResponse(batch=state(batch_id, 1), resume_token="t")
        yield pb.WatchBatchesResponse(resume_token="t")
        await self.stalled.wait()
        yield pb.WatchBatchesResponse(batch=pb.Batch(batch_id="slow"), resume_token="t")
        await asyncio.Event().wait()


class Recorder:
    """A view that keeps what it was given."""

    def __init__(self, stalled: asyncio.Event) -> None:
        self.changes: list[tuple[str, str]] = []
        self.deleted = asyncio.Event()
        self._stalled = stalled

    def changed(self, batch: Batch) -> None:
        """Keep the stall."""
        self.changes.append((batch.batch_id, batch.stall_reason))
        if batch.stall_reason:
            self._stalled.set()

    def aged(self, batch: Batch, silent_seconds: float) -> None:
        """Keep nothing."""

    def missing(self, batch_id: str, sentence: str) -> None:
        """Keep that the batch is gone."""
        assert (batch_id, sentence) == ("slow", "batch slow was deleted")
        self.deleted.set()


async def test_a_stall_and_a_deletion_are_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream brings no message about a stall, so that a silent batch is read."""
    monkeypatch.setattr(following, "SILENCE_SECONDS", 0.1)
    quiet = Quiet()
    view = Recorder(quiet.stalled)
    async with (
        asyncio.timeout(SECONDS_MAX),
        decided_server(quiet.get, pb.WatchBatchesRequest, quiet.watch) as client,
    ):
        watch = asyncio.create_task(follow_selection(client, Selection({"team": "data"}, "s"), view))
        try:
            await view.deleted.wait()
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
    assert view.changes == [("stalled", ""), ("slow", ""), ("stalled", STALL)]
