"""Reports, responses and failures for the tests of the outbox."""

import time
from collections.abc import Iterable

import grpc

from batchprogress._grpc.retry import Failure
from batchprogress._reporting.buffer import BUFFER_REPORTS_MAX, Buffer, Report
from batchprogress._reporting.cancelled_batches import CancelledBatches
from batchprogress._reporting.once_log import OnceLog
from batchprogress._reporting.outbox import Outbox
from batchprogress.v1 import progress_pb2 as pb

UNAVAILABLE = Failure(grpc.StatusCode.UNAVAILABLE, "connection refused")
INTERNAL = Failure(grpc.StatusCode.INTERNAL, "internal error", "INTERNAL")


def report(job_id: str, error_message: str = "") -> Report:
    """Return a report of a failed job."""
    return Report(batch_id="b", job_id=job_id, outcome=pb.JOB_OUTCOME_FAILED, error_message=error_message)


def outbox_with(*job_ids: str, reports_max: int = BUFFER_REPORTS_MAX) -> Outbox:
    """Return an outbox with a report of each job."""
    outbox = Outbox(Buffer(reports_max), OnceLog("test:1"), time.monotonic, CancelledBatches())
    for job_id in job_ids:
        outbox.enqueue(report(job_id))
    return outbox


def jobs_of(request: pb.ReportJobResultsRequest) -> list[str]:
    """Return the jobs of a request."""
    return [result.job_id for result in request.results]


def recorded(number: int) -> pb.ReportJobResultsResponse:
    """Return a response that says that every result was recorded."""
    return pb.ReportJobResultsResponse(
        results=[pb.ReportedResult(disposition=pb.DISPOSITION_RECORDED) for _ in range(number)]
    )


def response_with(codes: Iterable[grpc.StatusCode | None]) -> pb.ReportJobResultsResponse:
    """Return a response with an error for each code, and a recorded result for each None."""
    response = pb.ReportJobResultsResponse()
    for code in codes:
        result = response.results.add()
        if code is None:
            result.disposition = pb.DISPOSITION_RECORDED
        else:
            result.error.code, result.error.reason = code.value[0], f"REASON_{code.name}"
    return response
