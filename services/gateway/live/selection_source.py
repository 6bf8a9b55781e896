"""Many batches of the progress server, watched with the gateway's own token; viewers have their own."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import grpc
from google.protobuf.duration_pb2 import Duration

from batchprogress.v1 import operations_pb2
from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.refusal import Refusal
from services.gateway.contract.answers import Answer, to_answer
from services.gateway.contract.caller import Callers, Metadata
from services.gateway.contract.forwarding import Forwarder
from services.gateway.contract.methods import method_named
from services.gateway.live.problems import Problem
from services.gateway.live.selection import Selection
from services.gateway.live.watches import HEARTBEAT_SECONDS, READS_MAX, Watches

STATE_INTERVAL_SECONDS = 1
"""The interval of the states of one batch: nobody reads a list more often."""
STALLED_MAX = 1_000
"""Stalled batches that are read: as many as may be under way in a watch."""
CATCH_UPS_MAX = 8
"""Watches at a time that are opened only to learn what has ended before."""
ENDS_MAX = 1_000
"""Ends that a viewer is sent when it comes back. One that has missed more should list them."""
READER = "reader"
"""The role that WatchBatches requires."""
GET_SERVER_INFO = method_named("GetServerInfo")
LIST_BATCHES = method_named("ListBatches")
WATCH_BATCHES = method_named("WatchBatches")


class SelectionSource:
    """Watches many batches, and asks what a viewer may see of them.

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
        self._catch_ups = asyncio.Semaphore(CATCH_UPS_MAX)

    async def admit(self, wanted: Selection, metadata: Metadata) -> Selection:
        """Return the part of a selection that a viewer may see.

        Args:
            wanted: what it wants to see.
            metadata: what it has sent, with its token.

        Raises:
            Answer: it may see none of it, or the call has failed.

        """
        async with self._reads:
            response = await self._forwarder.call(GET_SERVER_INFO, b"", metadata)
        info = operations_pb2.GetServerInfoResponse.FromString(response)
        if READER not in info.roles:
            raise _denied("this token may not read batches: it needs the role reader")
        allowed = wanted.within(info.batch_prefix)
        if allowed is None:
            raise _denied("this token is for batches whose ids begin with another prefix")
        return allowed

    async def watch(
        self, selection: Selection, resume_token: str
    ) -> AsyncGenerator[pb.WatchBatchesResponse, None]:
        """Watch a selection with the gateway's own token, for ever.

        Args:
            selection: the batches.
            resume_token: where another watch of the selection has ended; empty: there was none.

        Yields:
            The responses of WatchBatches, after an empty one when the watch is accepted.

        Raises:
            Problem: the watch cannot be opened, or was cut.

        """
        request = pb.WatchBatchesRequest(
            **selection.fields(),
            resume_token=resume_token,
            min_interval=Duration(seconds=STATE_INTERVAL_SECONDS),
            heartbeat_interval=Duration(seconds=HEARTBEAT_SECONDS),
        )
        async with aclosing(self._watches.responses(WATCH_BATCHES, request)) as responses:
            async for response in responses:
                yield response

    async def stalled(self, selection: Selection) -> Sequence[pb.Batch]:
        """Return the batches of a selection that have stalled; raises Problem."""
        request = pb.ListBatchesRequest(**selection.fields(), stalled=True, page_size=STALLED_MAX)
        with self._watches.problems():
            response = await self._forwarder.call(
                LIST_BATCHES, request.SerializeToString(), self._callers.own_metadata()
            )
        return pb.ListBatchesResponse.FromString(response).batches

    async def ended_since(self, selection: Selection, resume_token: str) -> Sequence[pb.Batch] | None:
        """Return the batches that have ended since another watch.

        Args:
            selection: the batches.
            resume_token: where the other watch has ended.

        Returns:
            The batches; one that was deleted has only its id. None: they are more than ENDS_MAX, or it cannot
            be said.

        """
        ended: list[pb.Batch] = []
        try:
            async with self._catch_ups, aclosing(self.watch(selection, resume_token)) as responses:
                async for response in responses:
                    if response.HasField("batch"):
                        if response.batch.state != pb.BATCH_STATE_PROCESSING:
                            ended.append(response.batch)
                    elif response.resume_token:
                        return ended
                    if len(ended) > ENDS_MAX:
                        return None
        except Problem:
            pass
        return None


def _denied(message: str) -> Answer:
    return to_answer(Refusal(grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED", message))
