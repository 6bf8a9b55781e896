"""Batches of the progress server, read with the token of a viewer or watched with the gateway's own."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.contract.answers import Answer, busy
from services.gateway.contract.caller import Callers, Metadata
from services.gateway.contract.forwarding import Forwarder, failed_call
from services.gateway.contract.methods import method_named
from services.gateway.contract.upstream import Upstream, announced_heartbeats
from services.gateway.live.problems import Problem, away
from services.gateway.live.snapshot import Snapshot, to_snapshot

STATE_INTERVAL_SECONDS = 0.25
"""The interval of a batch's states: a bar animates four states a second as smoothly as twenty."""
HEARTBEAT_SECONDS = 5
"""A batch is read after this long without a change: its rate fades, and it may have stalled."""
SILENT_SECONDS_MAX = 3.0 * HEARTBEAT_SECONDS
"""A watch that has announced heartbeats is dead after three intervals without one."""
OPENED_SECONDS_MAX = 10.0
"""How long the server may take until it has accepted a watch: it does so at once."""
READS_MAX = 32
"""Reads at a time: each takes milliseconds, and after a restart each viewer may cause one."""
GET_BATCH = method_named("GetBatch")
WATCH_BATCH = method_named("WatchBatch")


class BatchSource:
    """Reads and watches batches.

    Args:
        upstream: the connections to the server.
        forwarder: makes unary calls.
        callers: has the gateway's own token.

    """

    def __init__(self, upstream: Upstream, forwarder: Forwarder, callers: Callers) -> None:
        self._upstream = upstream
        self._forwarder = forwarder
        self._callers = callers
        self._reads = asyncio.Semaphore(READS_MAX)

    async def get_batch(self, batch_id: str, metadata: Metadata) -> pb.Batch:
        """Return a batch, if a viewer may see it.

        Args:
            batch_id: the batch.
            metadata: what the viewer has sent, with its token.

        Raises:
            Answer: it may not, or the call has failed.

        """
        request = pb.GetBatchRequest(batch_id=batch_id).SerializeToString()
        async with self._reads:
            response = await self._forwarder.call(GET_BATCH, request, metadata)
        return pb.GetBatchResponse.FromString(response).batch

    async def read(self, batch_id: str) -> Snapshot:
        """Return a batch as it is now; raises Problem."""
        with self._problems():
            return to_snapshot(await self.get_batch(batch_id, self._callers.own_metadata()))

    async def watch(self, batch_id: str, after_revision: int) -> AsyncGenerator[Snapshot | None, None]:
        """Watch a batch with the gateway's own token, until it ends.

        Args:
            batch_id: the batch.
            after_revision: the revision that is known.

        Yields:
            Each newer state. None: there is no newer one, but the server answers; at first if a revision is
            known, and again after each HEARTBEAT_SECONDS.

        Raises:
            Problem: the watch cannot be opened, or was cut.

        """
        with self._problems(), self._upstream.stream(WATCH_BATCH.path) as open_stream:
            call = open_stream(_request(batch_id, after_revision), metadata=self._callers.own_metadata())
            try:
                async for response in _responses(call):
                    yield to_snapshot(response.batch) if response.HasField("batch") else None
            finally:
                call.cancel()

    @contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except grpc.aio.AioRpcError as error:
            raise self._problem(failed_call(error, self._upstream)) from None
        except Answer as answer:
            raise self._problem(answer) from None
        except TimeoutError:
            raise away() from None

    def _problem(self, answer: Answer) -> Problem:
        """Return what viewers are told: that the gateway is refused is not their fault."""
        # A cut connection is opened again at once; only a server that answers may ask for more time.
        retry_seconds = float(answer.retry_after or 0) if answer.is_from_server else 0.0
        match answer.grpc_code:
            case grpc.StatusCode.NOT_FOUND:
                return Problem(answer, is_final=True)
            case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
                return Problem(self._callers.own_token_refused(answer.message))
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                answer = busy("the progress server has too many calls of this gateway; try again")
        return Problem(answer, retry_seconds=retry_seconds)


def _request(batch_id: str, after_revision: int) -> bytes:
    request = pb.WatchBatchRequest(
        batch_id=batch_id,
        after_revision=after_revision,
        min_interval=Duration(nanos=int(STATE_INTERVAL_SECONDS * 1e9)),
        heartbeat_interval=Duration(seconds=HEARTBEAT_SECONDS),
    )
    return request.SerializeToString()


async def _responses(
    call: Any,
) -> AsyncIterator[pb.WatchBatchResponse]:
    """Yield the responses, and an empty one when the watch is accepted."""
    async with asyncio.timeout(OPENED_SECONDS_MAX):
        has_heartbeats = bool(await announced_heartbeats(call))
    yield pb.WatchBatchResponse()
    while True:
        async with asyncio.timeout(SILENT_SECONDS_MAX if has_heartbeats else None):
            response = await call.read()
        if response is grpc.aio.EOF:
            return
        yield pb.WatchBatchResponse.FromString(response)
