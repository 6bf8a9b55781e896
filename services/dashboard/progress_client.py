"""The dashboard's calls of ProgressService; with its channel the only place that knows gRPC."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import grpc
from google.protobuf import duration_pb2
from google.protobuf.message import Message

from batchprogress._grpc.connection import Connection, Metadata
from batchprogress._grpc.retry import RETRIED_CODES, failure_of
from batchprogress.v1 import progress_pb2 as pb
from services.dashboard.convert import to_state
from services.dashboard.errors import BatchUnknown, DashboardError, InvalidQuestion, ServerAway
from services.dashboard.progress_channel import ProgressChannel, Stub
from services.dashboard.refusals import Refusals
from services.dashboard.states import BatchState

ANSWER_SECONDS_MAX = 5.0
"""A server answers in milliseconds; after this long the page says that it is down."""
STATES_APART_MS_MIN = 250
"""The interval of a watched batch's states: a bar animates four states a second as smoothly as twenty."""

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class ProgressClient:
    """Calls once and never waits for a server that is down; raises DashboardErrors only.

    Nothing is connected before the first call.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._channel = ProgressChannel(connection)
        self._refusals = Refusals()

    async def get_batch(self, batch_id: str) -> BatchState:
        """Return a batch as it is now."""
        request = pb.GetBatchRequest(batch_id=batch_id)
        return to_state((await self._ask(lambda stub: stub.GetBatch, request)).batch)

    async def watch(self, batch_id: str, after_revision: int) -> AsyncIterator[BatchState]:
        """Yield the newer states of a batch from one stream, until the stream ends."""
        request = pb.WatchBatchRequest(
            batch_id=batch_id,
            after_revision=after_revision,
            min_interval=duration_pb2.Duration(nanos=STATES_APART_MS_MIN * 1_000_000),
        )
        metadata = self._metadata()
        try:
            async with self._channel.call() as stub:
                stream = stub.WatchBatch(request, metadata=metadata)
                try:
                    async for answer in stream:
                        yield to_state(answer.batch)
                finally:
                    stream.cancel()
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from error

    async def list_batches(self, request: pb.ListBatchesRequest) -> pb.ListBatchesResponse:
        """Return a page of batches."""
        return await self._ask(lambda stub: stub.ListBatches, request)

    async def list_job_results(self, request: pb.ListJobResultsRequest) -> pb.ListJobResultsResponse:
        """Return a page of results."""
        return await self._ask(lambda stub: stub.ListJobResults, request)

    async def list_failure_groups(self, batch_id: str) -> pb.ListFailureGroupsResponse:
        """Return the failure groups of a batch."""
        request = pb.ListFailureGroupsRequest(batch_id=batch_id)
        return await self._ask(lambda stub: stub.ListFailureGroups, request)

    async def list_repairs(self, request: pb.ListRepairsRequest) -> pb.ListRepairsResponse:
        """Return a page of repairs."""
        return await self._ask(lambda stub: stub.ListRepairs, request)

    async def close(self) -> None:
        """Close the channel; call it after the last call."""
        await self._channel.close()

    async def _ask(
        self,
        method: "Callable[[Stub], grpc.aio.UnaryUnaryMultiCallable[Request, Response]]",
        request: Request,
    ) -> Response:
        metadata = self._metadata()
        try:
            async with self._channel.call() as stub:
                return await method(stub)(request, timeout=ANSWER_SECONDS_MAX, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from error

    def _metadata(self) -> Metadata:
        try:
            return self._connection.metadata()
        except OSError as error:
            raise self._refusals.tell("cannot read the token file", str(error.strerror)) from error
        except ValueError as error:
            raise self._refusals.tell("the token file is invalid", str(error)) from error

    def _translated(self, error: grpc.aio.AioRpcError) -> DashboardError:
        """Return the error that a page shows; the server's own text is not shown."""
        failure = failure_of(error)
        if failure.code is grpc.StatusCode.NOT_FOUND:
            return BatchUnknown()
        if failure.code is grpc.StatusCode.INVALID_ARGUMENT:
            return InvalidQuestion()
        if failure.code in RETRIED_CODES:
            return ServerAway(failure.retry_seconds)
        return self._refusals.tell("refused by the progress server", failure.code.name)
