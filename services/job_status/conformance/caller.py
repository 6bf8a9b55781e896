"""Calls the service under test; a call returns the response, or the error status it failed with."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc

from batchprogress.v1 import job_status_pb2 as pb
from batchprogress.v1 import job_status_pb2_grpc
from rpc.answers.error_info import read_error_infos

CALL_SECONDS_MAX = 30.0
"""Three times the default time-out of the reconciler, to leave room for a slow queue."""
PAGES_MAX = 100_000
"""A listing that has not ended by then never will."""
EMPTY_PAGES_MAX = 3
"""After this many empty pages in a row the listing is considered endless."""

Response = TypeVar("Response")


@dataclass(frozen=True, slots=True)
class Refused:
    """The error status of a call."""

    code: grpc.StatusCode
    reasons: tuple[str, ...]
    """The reason of each ErrorInfo with the domain `batchprogress`."""
    problem: str | None = None
    """The metadata `problem` of the first one; None if there is none."""


class Caller:
    """A client of the service under test, over a channel that it does not close."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = job_status_pb2_grpc.JobStatusServiceStub(channel)

    async def counts(self, batch_id: str) -> pb.GetBatchStatusResponse | Refused:
        """Return the counts of a batch."""
        request = pb.GetBatchStatusRequest(batch_id=batch_id)
        return await _call(self._stub.GetBatchStatus(request, timeout=CALL_SECONDS_MAX))

    async def page(
        self, batch_id: str, size: int = 0, token: str = ""
    ) -> pb.ListJobStatusesResponse | Refused:
        """Return one page of jobs."""
        request = pb.ListJobStatusesRequest(batch_id=batch_id, page_size=size, page_token=token)
        return await _call(self._stub.ListJobStatuses(request, timeout=CALL_SECONDS_MAX))

    async def pages(self, batch_id: str, size: int) -> Sequence[pb.ListJobStatusesResponse] | Refused:
        """Return all pages of jobs, or those up to the point where the listing proves to be endless."""
        pages: list[pb.ListJobStatusesResponse] = []
        token, seen = "", {""}
        while len(pages) < PAGES_MAX:
            page = await self.page(batch_id, size, token)
            if isinstance(page, Refused):
                return page
            pages.append(page)
            token = page.next_page_token
            latest = pages[-EMPTY_PAGES_MAX:]
            stays_empty = len(latest) == EMPTY_PAGES_MAX and not any(one.job_statuses for one in latest)
            if token in seen or stays_empty:
                break
            seen.add(token)
        return pages


async def _call(call: Awaitable[Response]) -> Response | Refused:
    """Await a call; raises if the service does not answer, which no rule of the contract covers."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
            raise
        infos = read_error_infos(error)
        problem = infos[0].metadata.get("problem") if infos else None
        return Refused(error.code(), tuple(info.reason for info in infos), problem)
