"""Calls of the service under test: an answer, or the code and reason it was refused with."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc
from google.rpc import error_details_pb2, status_pb2

from batchprogress.v1 import job_status_pb2 as pb
from batchprogress.v1 import job_status_pb2_grpc

CALL_SECONDS_MAX = 30.0
"""What the reconciler waits for one answer, with room for a slow queue."""
PAGES_MAX = 100_000
"""A list that does not end by then, never will."""
EMPTY_PAGES_MAX = 3
"""So many in a row promise a next one in vain."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Refused:
    """A status other than OK."""

    code: grpc.StatusCode
    reasons: tuple[str, ...]
    """Of each ErrorInfo of the domain `batchprogress`."""


class Caller:
    """A client of the service under test."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Take a channel, which the caller closes."""
        self._stub = job_status_pb2_grpc.JobStatusServiceStub(channel)

    async def counts(self, batch_id: str) -> pb.GetBatchStatusResponse | Refused:
        """Ask for the counts of a batch."""
        request = pb.GetBatchStatusRequest(batch_id=batch_id)
        return await _answered(self._stub.GetBatchStatus(request, timeout=CALL_SECONDS_MAX))

    async def page(
        self, batch_id: str, size: int = 0, token: str = ""
    ) -> pb.ListJobStatusesResponse | Refused:
        """Ask for a page of jobs."""
        request = pb.ListJobStatusesRequest(batch_id=batch_id, page_size=size, page_token=token)
        return await _answered(self._stub.ListJobStatuses(request, timeout=CALL_SECONDS_MAX))

    async def pages(self, batch_id: str, size: int) -> Sequence[pb.ListJobStatusesResponse] | Refused:
        """Ask for page after page, until the last one, or until it is clear that there is none."""
        pages: list[pb.ListJobStatusesResponse] = []
        token, seen = "", {""}
        while len(pages) < PAGES_MAX:
            page = await self.page(batch_id, size, token)
            if isinstance(page, Refused):
                return page
            pages.append(page)
            token = page.next_page_token
            if token in seen or not any(one.job_statuses for one in pages[-EMPTY_PAGES_MAX:]):
                break
            seen.add(token)
        return pages


async def _answered(call: Awaitable[Answer]) -> Answer | Refused:
    """Wait for a call; a service that does not answer at all is no matter of the contract, and raises."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
            raise
        return Refused(error.code(), _reasons(error))


def _reasons(error: grpc.aio.AioRpcError) -> tuple[str, ...]:
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    reasons = []
    for detail in status_pb2.Status.FromString(bytes(details)).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == "batchprogress":
            reasons.append(info.reason)
    return tuple(reasons)
