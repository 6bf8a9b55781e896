"""python -m bench.peers.empty: only answer, to show what gRPC in Python itself costs."""

from typing import Any

from batchprogress.v1 import progress_pb2 as pb
from bench.peers.peer_server import Peer, all_recorded, recorded, serve


class Empty(Peer):
    """Answers every report without counting it."""

    def __init__(self, _store_url: str) -> None:
        """Ignore the URL: there is no store."""

    async def ReportJobResult(
        self, _request: pb.ReportJobResultRequest, _context: Any
    ) -> pb.ReportJobResultResponse:
        return recorded(1)

    async def ReportJobResults(
        self, request: pb.ReportJobResultsRequest, _context: Any
    ) -> pb.ReportJobResultsResponse:
        return all_recorded([1] * len(request.results))


if __name__ == "__main__":
    serve(Empty)
