"""The server of every peer: plain grpc.aio, without the interceptors and checks of our server."""

import asyncio
import sys
from collections.abc import Callable

import grpc

from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc

PENDING_REQUESTS_MAX = 100_000
"""The same as in our server; the default of gRPC, 1,000, would cancel calls of 1,037 workers."""
MESSAGE_BYTES_MAX = 16 * 2**20
"""The same as in our server."""
UNREQUESTED_SECONDS_MAX = 300
"""By default, gRPC cancels calls that a busy event loop has not started after 30 s."""
CONNECTIONS = 32
"""Pool size of each peer: enough to keep the store busy; more connections would only wait there."""
POOL_SECONDS_MAX = 60
"""How long a report may wait for a connection; no report waits this long."""


class Peer(progress_pb2_grpc.ProgressServiceServicer):
    """A server that counts results in its own way."""

    async def open(self) -> None:
        """Prepare for the first call."""

    def register(self, server: grpc.aio.Server) -> None:
        """Register the methods with the server."""
        progress_pb2_grpc.add_ProgressServiceServicer_to_server(self, server)


def serve(make: Callable[[str], Peer]) -> None:
    """Serve until stdin ends; the command line has one argument for the peer, often the URL of the store."""
    asyncio.run(_serve(make, sys.argv[1]))


async def _serve(make: Callable[[str], Peer], argument: str) -> None:
    peer = make(argument)
    await peer.open()
    await serve_until_input_ends(peer.register)


async def serve_until_input_ends(register: Callable[[grpc.aio.Server], None]) -> None:
    """Serve on a free port, and print its number."""
    server = grpc.aio.server(
        options=[
            ("grpc.server.max_pending_requests", PENDING_REQUESTS_MAX),
            ("grpc.server.max_pending_requests_hard_limit", PENDING_REQUESTS_MAX),
            ("grpc.server_max_unrequested_time_in_server", UNREQUESTED_SECONDS_MAX),
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ]
    )
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)  # ends with the process that started this one
    await server.stop(None)


def recorded(count: int) -> pb.ReportJobResultResponse:
    """Return the answer to one report."""
    return pb.ReportJobResultResponse(
        disposition=pb.DISPOSITION_RECORDED, batch_state=pb.BATCH_STATE_PROCESSING, revision=count
    )


def all_recorded(counts: list[int]) -> pb.ReportJobResultsResponse:
    """Return the answer to many reports."""
    return pb.ReportJobResultsResponse(
        results=[
            pb.ReportedResult(
                disposition=pb.DISPOSITION_RECORDED, batch_state=pb.BATCH_STATE_PROCESSING, revision=count
            )
            for count in counts
        ]
    )


def counted(batch_id: str, count: int) -> pb.GetBatchResponse:
    """Return the answer to a read of the batch."""
    return pb.GetBatchResponse(batch=pb.Batch(batch_id=batch_id, succeeded_jobs=count))
