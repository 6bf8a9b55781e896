"""Batches of the progress server, read with the token of a viewer or watched with the gateway's own."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from google.protobuf.duration_pb2 import Duration

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.contract.caller import Callers, Metadata
from services.gateway.contract.forwarding import Forwarder
from services.gateway.contract.methods import method_named
from services.gateway.live.snapshot import Snapshot, to_snapshot
from services.gateway.live.watches import HEARTBEAT_SECONDS, READS_MAX, Watches

STATE_INTERVAL_SECONDS = 0.25
"""The interval of a batch's states: a bar animates four states a second as smoothly as twenty."""
GET_BATCH = method_named("GetBatch")
WATCH_BATCH = method_named("WatchBatch")


class BatchSource:
    """Reads and watches batches.

    Args:
        watches: opens watches.
        forwarder: makes unary calls.
        callers: has the gateway's own token.

    """

    def __init__(self, watches: Watches, forwarder: Forwarder, callers: Callers) -> None:
        self._watches = watches
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
        with self._watches.problems():
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
        request = _request(batch_id, after_revision)
        async with aclosing(self._watches.responses(WATCH_BATCH, request)) as responses:
            async for response in responses:
                yield to_snapshot(response.batch) if response.HasField("batch") else None


def _request(batch_id: str, after_revision: int) -> pb.WatchBatchRequest:
    return pb.WatchBatchRequest(
        batch_id=batch_id,
        after_revision=after_revision,
        min_interval=Duration(nanos=int(STATE_INTERVAL_SECONDS * 1e9)),
        heartbeat_interval=Duration(seconds=HEARTBEAT_SECONDS),
    )
