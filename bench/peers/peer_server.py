"""The frame around every peer: a plain grpc.aio server, without the interceptor and checks of ours."""

import asyncio
import sys
from collections.abc import Callable

import grpc

from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc

PENDING_REQUESTS_MAX = 100_000
"""As in ours: gRPC's default of 1,000 would cancel calls of 1,037 workers."""
MESSAGE_BYTES_MAX = 16 * 2**20
"""As in ours."""
UNREQUESTED_SECONDS_MAX = 300
"""gRPC cancels calls that a busy event loop has not taken up within 30 s."""
CONNECTIONS = 32
"""Of each peer's pool: enough to keep MySQL's and Redis's one thread busy; more only wait in them."""
POOL_SECONDS_MAX = 60
"""How long a report may wait for a connection: longer than any does."""


class Peer(progress_pb2_grpc.ProgressServiceServicer):
    """A server that counts results in its own way."""

    async def open(self) -> None:
        """Make what is needed before the first call."""

    def register(self, server: grpc.aio.Server) -> None:
        """Name the methods to the server."""
        progress_pb2_grpc.add_ProgressServiceServicer_to_server(self, server)


def serve(make: Callable[[str], Peer]) -> None:
    """Serve until the input ends; the one argument is the peer's, for most the URL of the store."""
    asyncio.run(_serve(make, sys.argv[1]))


async def _serve(make: Callable[[str], Peer], argument: str) -> None:
    peer = make(argument)
    await peer.open()
    await serve_until_input_ends(peer.register)


async def serve_until_input_ends(register: Callable[[grpc.aio.Server], None]) -> None:
    """Serve on a free port, and tell it on a line."""
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
    await asyncio.to_thread(sys.stdin.read)  # ends with the process that started us
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
