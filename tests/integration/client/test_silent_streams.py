"""A stream that says nothing for three heartbeats is dead: the watch goes on with another one."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator

import pytest

from batchprogress import AsyncClient, Batch, Client, bar
from batchprogress._calls import liveness
from batchprogress._calls.liveness import HEARTBEAT_KEY, HEARTBEAT_SECONDS
from batchprogress._grpc import retry
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client.either import opened
from tests.integration.client.road import STATE
from tests.support.http2_server import GRPC_HEADERS, Answer, Request, framed, http2_server, ok

SECONDS_MAX = 30.0
SILENT_SECONDS = 0.2
SLOW_SECONDS = 2.0
KINDS = [Client, AsyncClient]
ENDED = pb.Batch(batch_id="b", state=pb.BATCH_STATE_COMPLETED, revision=4, total_jobs=2, succeeded_jobs=2)
NEW_HEADERS = [*GRPC_HEADERS, (HEARTBEAT_KEY, "20")]
FIRST_STATE = framed(pb.WatchBatchResponse(batch=STATE))
HEARTBEAT = framed(pb.WatchBatchResponse())
SILENT = {
    "announced-heartbeats": Answer(NEW_HEADERS, FIRST_STATE, hangs=True),
    "sent-a-heartbeat": Answer(GRPC_HEADERS, FIRST_STATE + HEARTBEAT, hangs=True),
    "sent-no-state": Answer(GRPC_HEADERS, hangs=True),
    "sent-nothing": Answer([], hangs=True),
}


@pytest.fixture(autouse=True)
def _short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "SILENT_SECONDS_MAX", SILENT_SECONDS)
    monkeypatch.setattr(retry, "BACKOFF_SECONDS_MIN", 0.001)


class Server:
    """Answers the first stream of a watch with silence, and later ones with the end of the batch.

    Args:
        first: the answer to the first stream.

    """

    def __init__(self, first: Answer) -> None:
        self._first = first
        self.watches: list[pb.WatchBatchRequest] = []
        self.is_watched_again = asyncio.Event()

    def answer_to(self, request: Request) -> Answer:
        """Answer a request."""
        if request.method != "WatchBatch":
            return ok(pb.GetBatchResponse(batch=STATE))
        self.watches.append(pb.WatchBatchRequest.FromString(request.message))
        if len(self.watches) == 1:
            return self._first
        self.is_watched_again.set()
        return ok(pb.WatchBatchResponse(batch=ENDED))


@pytest.mark.parametrize("first", SILENT)
@pytest.mark.parametrize("kind", KINDS)
async def test_silent_stream_is_replaced_and_no_state_is_lost(
    kind: type[Client | AsyncClient], first: str
) -> None:
    """No state comes twice, and the watch ends with its batch."""
    server = Server(SILENT[first])
    async with http2_server(server.answer_to) as target, opened(kind, target) as client:
        async with asyncio.timeout(SECONDS_MAX):
            states = await client.every("watch", "b")
    assert [state.revision for state in states] == [STATE.revision, ENDED.revision]
    assert {watch.heartbeat_interval.seconds for watch in server.watches} == {HEARTBEAT_SECONDS}


@pytest.mark.usefixtures("_in_a_forked_child")
async def test_silent_stream_of_the_call_process_is_replaced() -> None:
    server = Server(SILENT["announced-heartbeats"])
    async with http2_server(server.answer_to) as target, opened(Client, target) as client:
        async with asyncio.timeout(SECONDS_MAX):
            states = await client.every("watch", "b")
    assert [state.revision for state in states] == [STATE.revision, ENDED.revision]


async def test_bar_goes_on_after_a_silent_stream() -> None:
    server = Server(SILENT["announced-heartbeats"])
    async with http2_server(server.answer_to) as target:
        last = await asyncio.to_thread(bar, target, "b", timeout=SECONDS_MAX)
    assert last.revision == ENDED.revision


@pytest.mark.more("waits much longer than a stream may be silent")
@pytest.mark.parametrize("kind", KINDS)
async def test_quiet_stream_of_a_server_of_0_1_is_not_taken_for_dead(
    kind: type[Client | AsyncClient],
) -> None:
    """It does not announce heartbeats, and says nothing until its batch changes."""
    server = Server(Answer(GRPC_HEADERS, FIRST_STATE, hangs=True))
    async with http2_server(server.answer_to) as target, opened(kind, target) as client:
        watching = asyncio.create_task(client.every("watch", "b"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5 * SILENT_SECONDS):
                await server.is_watched_again.wait()
        assert len(server.watches) == 1
        await client.call("close")
        await asyncio.gather(watching, return_exceptions=True)


@pytest.mark.more("waits longer than a stream may be silent")
@pytest.mark.parametrize("kind", KINDS)
async def test_slow_reader_of_a_stream_with_heartbeats_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, kind: type[Client | AsyncClient]
) -> None:
    """Only the wait for a response counts, not what the program does with a state."""
    monkeypatch.setattr(liveness, "SILENT_SECONDS_MAX", SLOW_SECONDS / 2)
    messages = framed(pb.WatchBatchResponse(batch=ENDED))
    server = Server(Answer(NEW_HEADERS, FIRST_STATE + HEARTBEAT + messages, [("grpc-status", "0")]))
    async with http2_server(server.answer_to) as target, opened(kind, target) as client:
        states = client.client.watch("b")
        if isinstance(states, AsyncGenerator):
            read = []
            async for state in states:
                read.append(state)
                await asyncio.sleep(SLOW_SECONDS)
        else:
            read = await asyncio.to_thread(slowly, states)
    assert [state.revision for state in read] == [STATE.revision, ENDED.revision]
    assert len(server.watches) == 1


def slowly(states: Iterator[Batch]) -> list[Batch]:
    """Return the states of a watch, with pauses between them."""
    read = []
    for state in states:
        read.append(state)
        time.sleep(SLOW_SECONDS)
    return read
