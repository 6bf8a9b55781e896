"""python -m bench.peers.job_status JOBS: a queue with every batch id and JOBS jobs each, which succeeded.

Pages are the same for every batch and kept as bytes, so that the queue costs next to nothing.
"""

import asyncio
import sys
from functools import lru_cache
from typing import Any

import grpc

from batchprogress.v1 import job_status_pb2 as pb
from batchprogress.v1 import progress_pb2
from bench.load.filled_tables import job_id_of
from bench.peers.list_only import PAGE_JOBS
from bench.peers.peer_server import serve_until_input_ends

SERVICE = pb.DESCRIPTOR.services_by_name["JobStatusService"].full_name
PAGES_KEPT = 3_000
"""Ten million jobs fill 2,001 pages."""


class JobStatus:
    """Answers with prepared bytes.

    Args:
        jobs: The number of jobs of every batch.

    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._status = pb.GetBatchStatusResponse(
            total=jobs, succeeded=jobs, finished=True, lists_jobs=True
        ).SerializeToString()
        self._page = lru_cache(PAGES_KEPT)(self._make_page)

    def register(self, server: grpc.aio.Server) -> None:
        """Register the methods with the server; they return bytes."""
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "GetBatchStatus": grpc.unary_unary_rpc_method_handler(self._tell_status),
            "ListJobStatuses": grpc.unary_unary_rpc_method_handler(
                self._list_jobs, request_deserializer=pb.ListJobStatusesRequest.FromString
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    async def _tell_status(self, _request: bytes, _context: Any) -> bytes:
        return self._status

    async def _list_jobs(self, request: pb.ListJobStatusesRequest, _context: Any) -> bytes:
        return self._page(int(request.page_token or 0), request.page_size)

    def _make_page(self, begin: int, size: int) -> bytes:
        end = min(begin + size, self._jobs)
        statuses = [
            pb.JobStatus(job_id=job_id_of(number), outcome=progress_pb2.JOB_OUTCOME_SUCCEEDED, attempt=1)
            for number in range(begin, end)
        ]
        token = str(end) if end < self._jobs else ""
        return pb.ListJobStatusesResponse(job_statuses=statuses, next_page_token=token).SerializeToString()

    def make_pages(self, size: int) -> None:
        """Make all pages of a size in advance."""
        for begin in range(0, self._jobs, size):
            self._page(begin, size)


async def _serve(queue: JobStatus) -> None:
    queue.make_pages(PAGE_JOBS)
    await serve_until_input_ends(queue.register)


if __name__ == "__main__":
    asyncio.run(_serve(JobStatus(int(sys.argv[1]))))
