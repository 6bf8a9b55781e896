"""Watching a batch through restarts, failovers and cut connections, until it ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import grpc
from google.protobuf import duration_pb2

from batchprogress._grpc.connection import Connection, Credentials, Token, opened, opened_async
from batchprogress._grpc.retry import RETRIED_CODES, failure_of
from batchprogress.errors import BatchNotFound
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc


class Place:
    """Where a watch is: what to ask for next, and what the end of a stream means. Pure."""

    def __init__(self, batch_id: str, after_revision: int, min_interval: float) -> None:
        """Begin after a revision."""
        self._batch_id = batch_id
        self._revision = after_revision
        self._min_interval = duration_pb2.Duration()
        self._min_interval.FromMicroseconds(round(min_interval * 1e6))
        self._tries = 0

    @property
    def request(self) -> pb.WatchBatchRequest:
        """What to ask for."""
        return pb.WatchBatchRequest(
            batch_id=self._batch_id, after_revision=self._revision, min_interval=self._min_interval
        )

    def pass_by(self, batch: pb.Batch) -> pb.Batch:
        """Note that a state was received."""
        self._revision, self._tries = batch.revision, 0
        return batch

    def delay_after(self, error: grpc.RpcError) -> float:
        """Return how many seconds to wait before the next stream; raises what no stream will change."""
        failure = failure_of(error)
        if failure.code is grpc.StatusCode.NOT_FOUND:
            raise BatchNotFound(self._batch_id) from error
        if failure.code not in RETRIED_CODES:
            raise error
        self._tries += 1
        return failure.delay_seconds(self._tries - 1)


def watch(  # noqa: PLR0913  # options, by keyword only
    target: str | grpc.Channel,
    batch_id: str,
    *,
    after_revision: int = 0,
    min_interval: float = 0.0,
    credentials: Credentials | None = None,
    token: Token | None = None,
) -> Iterator[pb.Batch]:
    """Yield the batch as it is, then each newer state, and end with the batch.

    Revisions rise strictly; states may be skipped, the last one (COMPLETED or CANCELLED) never is. A stream
    that breaks is opened again after the last revision, for as long as it takes.

    Args:
        target: host:port or any gRPC name; or a channel of yours, which stays open.
        batch_id: the batch.
        after_revision: only what is newer; 0 is everything.
        min_interval: seconds from one state to the next at the least, 0 to 60.
        credentials: TlsFiles, read again for each stream, or from grpc.ssl_channel_credentials(); by default
            plaintext. Not with a channel.
        token: a bearer token, or what returns the one of now.

    Raises:
        BatchNotFound: there is no such batch, or no more.
        grpc.RpcError: an answer that trying again does not change, as UNAUTHENTICATED.

    """
    place = Place(batch_id, after_revision, min_interval)
    connection = Connection(target if isinstance(target, str) else "", credentials, token)
    while True:
        with opened(target, connection) as channel:
            stream = progress_pb2_grpc.ProgressServiceStub(channel).WatchBatch(
                place.request, metadata=connection.metadata(), wait_for_ready=connection.may_wait
            )
            try:
                for message in stream:
                    yield place.pass_by(message.batch)
            except grpc.RpcError as error:
                delay = place.delay_after(error)
            else:
                return
            finally:
                stream.cancel()
        time.sleep(delay)


async def watch_async(  # noqa: PLR0913  # options, by keyword only
    target: str | grpc.aio.Channel,
    batch_id: str,
    *,
    after_revision: int = 0,
    min_interval: float = 0.0,
    credentials: Credentials | None = None,
    token: Token | None = None,
) -> AsyncIterator[pb.Batch]:
    """Yield the batch as `watch` does, in an event loop; takes and raises the same."""
    place = Place(batch_id, after_revision, min_interval)
    connection = Connection(target if isinstance(target, str) else "", credentials, token)
    while True:
        async with opened_async(target, connection) as channel:
            stream = progress_pb2_grpc.ProgressServiceStub(channel).WatchBatch(
                place.request, metadata=connection.metadata(), wait_for_ready=connection.may_wait
            )
            try:
                async for message in stream:
                    yield place.pass_by(message.batch)
            except grpc.RpcError as error:
                delay = place.delay_after(error)
            else:
                return
            finally:
                stream.cancel()
        await asyncio.sleep(delay)
