"""ProgressService as this dashboard asks it: the one place that knows gRPC."""

from collections.abc import AsyncIterator
from typing import TypeAlias, TypeVar

import grpc
import structlog
from google.protobuf import duration_pb2
from google.protobuf.message import Message

from batchprogress.channels import Connection, Metadata
from batchprogress.retries import RETRIED_CODES, failure_of
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc
from services.dashboard.convert import to_state
from services.dashboard.errors import BatchUnknown, DashboardError, InvalidQuestion, Refused, ServerAway
from services.dashboard.states import BatchState

ANSWER_SECONDS_MAX = 5.0
"""A server answers in milliseconds; a person who waits longer is better told that it does not."""
STATES_APART_MS_MIN = 250
"""Of a watched batch: bars glide between four states a second as smoothly as between twenty."""

Stub: TypeAlias = "progress_pb2_grpc.ProgressServiceAsyncStub"  # known to the type checker only
Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
_log = structlog.get_logger()


class ProgressClient:
    """Asks once and never waits for a server that is away; what it raises is a DashboardError."""

    def __init__(self, channel: grpc.aio.Channel, connection: Connection) -> None:
        """Take a channel of the connection, which gives the token."""
        self._stub: Stub = progress_pb2_grpc.ProgressServiceStub(channel)
        self._connection = connection

    async def get_batch(self, batch_id: str) -> BatchState:
        """Return a batch as it is now."""
        answer = await self._ask(self._stub.GetBatch, pb.GetBatchRequest(batch_id=batch_id))
        return to_state(answer.batch)

    async def watch(self, batch_id: str, after_revision: int) -> AsyncIterator[BatchState]:
        """Yield a batch's newer states as one stream brings them, to its end."""
        request = pb.WatchBatchRequest(
            batch_id=batch_id,
            after_revision=after_revision,
            min_interval=duration_pb2.Duration(nanos=STATES_APART_MS_MIN * 1_000_000),
        )
        stream = self._stub.WatchBatch(request, metadata=self._metadata())
        try:
            async for answer in stream:
                yield to_state(answer.batch)
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from error
        finally:
            stream.cancel()

    async def list_batches(self, request: pb.ListBatchesRequest) -> pb.ListBatchesResponse:
        """Return a page of batches."""
        return await self._ask(self._stub.ListBatches, request)

    async def list_job_results(self, request: pb.ListJobResultsRequest) -> pb.ListJobResultsResponse:
        """Return a page of results."""
        return await self._ask(self._stub.ListJobResults, request)

    async def list_failure_groups(self, batch_id: str) -> pb.ListFailureGroupsResponse:
        """Return the failures of a batch in groups."""
        return await self._ask(self._stub.ListFailureGroups, pb.ListFailureGroupsRequest(batch_id=batch_id))

    async def list_repairs(self, request: pb.ListRepairsRequest) -> pb.ListRepairsResponse:
        """Return a page of repairs."""
        return await self._ask(self._stub.ListRepairs, request)

    async def _ask(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]", request: Request
    ) -> Response:
        try:
            return await method(request, timeout=ANSWER_SECONDS_MAX, metadata=self._metadata())
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from error

    def _metadata(self) -> Metadata:
        try:
            return self._connection.metadata()
        except OSError as error:
            _log.warning("the token file cannot be read", reason=error.strerror)
            raise Refused from error


def _translated(error: grpc.aio.AioRpcError) -> DashboardError:
    """Return what an answer means to a page; the text of the answer stays here."""
    failure = failure_of(error)
    if failure.code is grpc.StatusCode.NOT_FOUND:
        return BatchUnknown()
    if failure.code is grpc.StatusCode.INVALID_ARGUMENT:
        return InvalidQuestion()
    if failure.code in RETRIED_CODES:
        return ServerAway(failure.retry_seconds)
    _log.warning("refused by the progress server", code=failure.code.name, reason=failure.reason)
    return Refused()
