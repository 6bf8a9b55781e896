"""JobStatusService over a source."""

from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import grpc

from batchprogress.v1 import job_status_pb2 as pb
from batchprogress.v1 import job_status_pb2_grpc
from rpc.answers.fields import FieldChecks
from rpc.answers.page_tokens import decode_token, encode_token
from rpc.answers.pages import page_that_fits
from rpc.answers.refusal import Refusal
from rpc.callers.principal import caller
from services.job_status.convert import to_batch_status, to_job_status
from services.job_status.source import BatchUnknown, JobStatus, JobStatusSource

Context = grpc.aio.ServicerContext[Any, Any]

JOBS_PER_PAGE_MAX = 5_000
"""Some 0.5 MB of jobs without errors, which fits one message; a batch of a million jobs takes 200 calls."""
JOBS_PER_PAGE_DEFAULT = 1_000
"""An ordinary batch takes one or two calls."""

_LISTING = "ListJobStatuses"


class JobStatusServicer(job_status_pb2_grpc.JobStatusServiceServicer):
    """Checks requests, asks the source and converts its answers; the error interceptor answers errors.

    Args:
        source: the queue.

    """

    def __init__(self, source: JobStatusSource) -> None:
        self._source = source

    async def GetBatchStatus(
        self, request: pb.GetBatchStatusRequest, _context: Context
    ) -> pb.GetBatchStatusResponse:
        """Return the counts of a batch."""
        checks = FieldChecks()
        batch_id = checks.identifier("batch_id", request.batch_id)
        checks.done()
        return to_batch_status(await self._source.batch_counts(_require_visible(batch_id)))

    async def ListJobStatuses(
        self, request: pb.ListJobStatusesRequest, _context: Context
    ) -> pb.ListJobStatusesResponse:
        """Return a page of a batch's jobs."""
        checks = FieldChecks()
        batch_id = checks.identifier("batch_id", request.batch_id)
        size = checks.page_size(request.page_size, JOBS_PER_PAGE_MAX, JOBS_PER_PAGE_DEFAULT)
        after = _checked_key(checks, request)
        checks.done()
        page = await self._source.job_page(_require_visible(batch_id), after, size)
        to_response = partial(_to_response, batch_id)
        return page_that_fits(page.statuses, page.next_key, attrgetter("job_id"), to_response)


def _require_visible(batch_id: str) -> str:
    """Return the id of a batch that the caller asks for; raise BatchUnknown if it does not exist for it."""
    if not caller().owns(batch_id):
        raise BatchUnknown
    return batch_id


def _checked_key(checks: FieldChecks, request: pb.ListJobStatusesRequest) -> str | None:
    """Return the key in the page token, after which the page begins; collect its violations."""
    try:
        return decode_token(_LISTING, request.batch_id, request.page_token, str)
    except Refusal as refusal:
        for violation in refusal.violations:
            checks.reject(violation.field, violation.description)
        return None


def _to_response(
    batch_id: str, statuses: Sequence[JobStatus], next_key: str | None
) -> pb.ListJobStatusesResponse:
    response = pb.ListJobStatusesResponse(job_statuses=[to_job_status(status) for status in statuses])
    if next_key is not None:
        response.next_page_token = encode_token(_LISTING, batch_id, next_key)
    return response
