"""The channel of a sender, and its one RPC."""

from typing import Any

import grpc

from batchprogress._grpc.connection import Connection
from batchprogress._grpc.retry import TRY_SECONDS_MAX, Failure
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc


class ReportChannel:
    """Opens a channel for the first call, and another one where that may have newer certificates.

    One thread calls; any other may close.

    Args:
        connection: How to reach the server.

    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._channel: grpc.Channel | None = None
        self._report_results: Any = None
        """The RPC on this channel: making a stub takes a fifth of the time of a call."""
        self._should_reconnect = False
        self._is_closed = False

    def call(self, request: pb.ReportJobResultsRequest) -> pb.ReportJobResultsResponse | None:
        """Send reports; raises what gRPC raises, or the token function, which is the caller's code."""
        if self._channel is None or self._should_reconnect:
            self._open()
        # Not wait_for_ready: the reason why a server is unavailable is logged, and no fork waits for it.
        response: pb.ReportJobResultsResponse | None = self._report_results(
            request, timeout=TRY_SECONDS_MAX, metadata=self._connection.metadata()
        )
        return response

    def note(self, failure: Failure) -> None:
        """Decide by the failure of a call whether the next one needs another channel."""
        self._should_reconnect = self._connection.should_reconnect(failure)

    def close(self) -> None:
        """Cancel the call in flight; another one fails."""
        self._is_closed = True
        if self._channel is not None:
            self._channel.close()

    def _open(self) -> None:
        channel = self._connection.open()
        # Before close() knows the channel: gRPC crashes if one is closed while its methods are made.
        self._report_results = progress_pb2_grpc.ProgressServiceStub(channel).ReportJobResults
        self._should_reconnect = False
        before, self._channel = self._channel, channel
        if before is not None:
            before.close()
        if self._is_closed:
            channel.close()
