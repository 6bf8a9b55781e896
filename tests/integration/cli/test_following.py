"""Following a batch that is silent, beside a server whose answers the test decides."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from batchprogress.cli import following
from batchprogress.cli.cli_errors import ExitCode
from batchprogress.cli.following import follow
from batchprogress.models import Batch
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.cli.decided_server import decided_server

SECONDS_MAX = 60.0


def state(
    revision: int, number: pb.BatchState.ValueType = pb.BATCH_STATE_PROCESSING, stall: str = ""
) -> pb.Batch:
    """Return a state of the batch."""
    return pb.Batch(batch_id="b", revision=revision, state=number, stall_reason=stall)


class SlowStream:
    """Serves a stream that lags behind GetBatch."""

    def __init__(self) -> None:
        self._read = asyncio.Event()

    def get(self, _request: pb.GetBatchRequest) -> pb.Batch:
        """Answer with a newer state than the stream has brought."""
        self._read.set()
        return state(2, stall="no result for 1 min")

    async def watch(self, _request: pb.WatchBatchRequest) -> AsyncIterator[pb.WatchBatchResponse]:
        """Bring that state only after it was read."""
        yield pb.WatchBatchResponse(batch=state(1))
        await self._read.wait()
        yield pb.WatchBatchResponse(batch=state(2, stall="no result for 1 min"))
        yield pb.WatchBatchResponse(batch=state(3, pb.BATCH_STATE_COMPLETED))


class Recorder:
    """A view that keeps the revisions it was given."""

    def __init__(self) -> None:
        self.changed_revisions: list[int] = []

    def changed(self, batch: Batch) -> None:
        """Keep the revision."""
        self.changed_revisions.append(batch.revision)

    def aged(self, batch: Batch, silent_seconds: float) -> None:
        """Keep nothing."""

    def missing(self, batch_id: str, sentence: str) -> None:
        """Fail: the batch exists."""
        raise AssertionError(f"{batch_id}: {sentence}")


async def test_a_state_that_the_stream_is_about_to_bring_is_shown_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The batch is read because it is silent; a newer revision in the answer is left to the stream."""
    monkeypatch.setattr(following, "SILENCE_SECONDS", 0.1)
    slow, view = SlowStream(), Recorder()
    async with (
        asyncio.timeout(SECONDS_MAX),
        decided_server(slow.get, pb.WatchBatchRequest, slow.watch) as client,
    ):
        assert await follow(client, ["b"], view) == [ExitCode.COMPLETED]
    assert view.changed_revisions == [1, 2, 3]
