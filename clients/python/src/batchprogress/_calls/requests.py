"""The calls of the server: the request that each sends, and how its answer is read. Pure."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from batchprogress._calls.batch_filter import BatchFilter
from batchprogress._calls.call_errors import Subject
from batchprogress._calls.convert import (
    OUTCOME_NUMBERS,
    to_batch,
    to_failure_group,
    to_history,
    to_job_result,
    to_pass,
    to_pending_jobs,
    to_repair,
    to_server_info,
    to_watch_token,
)
from batchprogress._calls.creation import (
    NUMBERS,
    IfEnded,
    check_if_ended,
    check_of,
    failure_limit,
    notify_url_unknown,
)
from batchprogress._limits import PAGE_SIZE_MAX
from batchprogress.errors import ServerTooOld
from batchprogress.models import (
    Batch,
    FailureGroup,
    HistoryPoint,
    JobOutcome,
    JobResult,
    Pass,
    PendingJobs,
    Repair,
    ServerInfo,
    WatchToken,
)
from batchprogress.paging import Page
from batchprogress.v1 import operations_pb2, operations_pb2_grpc, progress_pb2_grpc
from batchprogress.v1 import progress_pb2 as pb

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """One call, which may be tried several times."""

    method: str
    request: Message
    read: Callable[[Any], Answer]
    """Makes the answer from the response."""
    batch_id: str = ""
    """The batch that an error is about; empty if there is none."""
    check: Callable[[Answer, Subject, float], None] | None = None
    """Raises an error or logs if the answer is not what was asked for. Gets the seconds since the first
    try; 0 if that was answered."""
    stub: Callable[[Any], Any] = progress_pb2_grpc.ProgressServiceStub
    """Makes the stub of the method's service, of a channel."""
    needs: "Need | None" = None
    """What the server must know, since one that does not would ignore what is asked for."""


@dataclass(frozen=True, slots=True)
class Need:
    """Something of which no answer tells whether the server knows it."""

    call: Call[Any]
    """A call that is refused by servers that do not know it."""
    too_old: ServerTooOld
    """What is raised for such a server."""


def create(  # noqa: PLR0913  # options, by keyword only
    batch_id: str | None,
    total_jobs: int,
    *,
    sealed: bool,
    display_name: str,
    labels: Mapping[str, str] | None,
    if_ended: IfEnded,
    max_failed_jobs: int | None = None,
    max_failed_percent: int | None = None,
    notify_url: str = "",
) -> Call[Batch]:
    """Create a batch.

    Raises:
        ValueError: if_ended is not one of the choices, or there are two limits.

    """
    check_if_ended(if_ended)
    # An id from here and not from the server: a call that is tried again then creates no second batch.
    chosen = str(uuid.uuid4()) if batch_id is None else batch_id
    request = pb.CreateBatchRequest(
        batch_id=chosen,
        total_jobs=total_jobs,
        sealed=sealed,
        display_name=display_name,
        labels=labels or {},
        # With it, a call that is tried again finds the batch that it has created, and does not replace it.
        request_id="" if if_ended == "return" else str(uuid.uuid4()),
        if_ended=NUMBERS[if_ended],
        failure_limit=failure_limit(max_failed_jobs, max_failed_percent),
        notify_url=notify_url,
    )
    check = check_of(if_ended, max_failed_jobs, max_failed_percent)
    needs = Need(server_info(), notify_url_unknown(chosen)) if notify_url else None
    return Call("CreateBatch", request, _read_batch, chosen, check, needs=needs)


def add_jobs(batch_id: str, additional_jobs: int, request_id: str | None) -> Call[Batch]:
    """Add jobs to a batch."""
    request = pb.AddJobsRequest(
        batch_id=batch_id, additional_jobs=additional_jobs, request_id=request_id or str(uuid.uuid4())
    )
    return Call("AddJobs", request, _read_batch, batch_id)


def seal(batch_id: str) -> Call[Batch]:
    """Seal a batch."""
    return Call("SealBatch", pb.SealBatchRequest(batch_id=batch_id), _read_batch, batch_id)


def cancel(batch_id: str) -> Call[Batch]:
    """Cancel a batch."""
    return Call("CancelBatch", pb.CancelBatchRequest(batch_id=batch_id), _read_batch, batch_id)


def delete(batch_id: str) -> Call[None]:
    """Delete a batch."""
    return Call("DeleteBatch", pb.DeleteBatchRequest(batch_id=batch_id), lambda _: None, batch_id)


def get(batch_id: str) -> Call[Batch]:
    """Read a batch."""
    return Call("GetBatch", pb.GetBatchRequest(batch_id=batch_id), _read_batch, batch_id)


def failures_page(batch_id: str, page_size: int, page_token: str) -> Call[Page[FailureGroup]]:
    """Read a page of the failure groups of a batch."""
    request = pb.ListFailureGroupsRequest(batch_id=batch_id, page_size=page_size, page_token=page_token)

    def read(response: pb.ListFailureGroupsResponse) -> Page[FailureGroup]:
        groups = tuple(map(to_failure_group, response.failure_groups))
        # A server of 0.1 lists at most 100 groups, on one page, and does not count the others.
        return Page(groups, response.next_page_token, response.total_size or len(groups))

    return Call("ListFailureGroups", request, read, batch_id)


def pending_jobs(batch_id: str) -> Call[PendingJobs]:
    """Read the pending jobs of a batch: the server keeps no more than a page holds."""
    request = pb.ListPendingJobsRequest(batch_id=batch_id, page_size=PAGE_SIZE_MAX)
    return Call("ListPendingJobs", request, to_pending_jobs, batch_id)


def history(batch_id: str) -> Call[tuple[HistoryPoint, ...]]:
    """Read the history of a batch."""
    return Call("GetBatchHistory", pb.GetBatchHistoryRequest(batch_id=batch_id), to_history, batch_id)


def batches_page(selected: BatchFilter, page_size: int, page_token: str) -> Call[Page[Batch]]:
    """Read a page of batches."""

    def read(response: pb.ListBatchesResponse) -> Page[Batch]:
        # 0 with batches or another page: the server does not know the number.
        is_known = response.total_size or not (page_token or response.batches or response.next_page_token)
        total_size = response.total_size if is_known else None
        return Page(tuple(map(to_batch, response.batches)), response.next_page_token, total_size)

    return Call("ListBatches", selected.request(page_size, page_token), read, check=selected.check)


def job_result(batch_id: str, job_id: str) -> Call[JobResult]:
    """Read the result of a job."""

    def read(response: pb.GetJobResultResponse) -> JobResult:
        return to_job_result(response.job_result)

    return Call("GetJobResult", pb.GetJobResultRequest(batch_id=batch_id, job_id=job_id), read, batch_id)


def results_page(  # noqa: PLR0913  # the filters of the call
    batch_id: str,
    outcome: JobOutcome | None,
    fingerprint: str,
    page_size: int,
    page_token: str,
    *,
    job_id_prefix: str = "",
) -> Call[Page[JobResult]]:
    """Read a page of the results of a batch."""
    request = pb.ListJobResultsRequest(
        batch_id=batch_id,
        outcome=pb.JOB_OUTCOME_UNSPECIFIED if outcome is None else OUTCOME_NUMBERS[outcome],
        page_size=page_size,
        page_token=page_token,
        fingerprint=fingerprint,
        job_id_prefix=job_id_prefix,
    )

    def read(response: pb.ListJobResultsResponse) -> Page[JobResult]:
        return Page(tuple(map(to_job_result, response.job_results)), response.next_page_token)

    def check(page: Page[JobResult], subject: Subject, _seconds: float) -> None:
        if fingerprint and not _may_be_one_group(page):
            raise _ignored("fingerprint", subject)
        if not all(result.job_id.startswith(job_id_prefix) for result in page.items):
            raise _ignored("job_id_prefix", subject)

    return Call("ListJobResults", request, read, batch_id, check if fingerprint or job_id_prefix else None)


def _may_be_one_group(page: Page[JobResult]) -> bool:
    have_failed = all(result.outcome is JobOutcome.FAILED for result in page.items)
    return have_failed and len({result.error_type for result in page.items}) <= 1


def _ignored(field: str, subject: Subject) -> ServerTooOld:
    """Return the error of a filter that the server ignores."""
    detail = f"the server does not know the {field} and returned other results, too"
    return ServerTooOld(
        f"{subject}: {detail}: upgrade the server",
        reason=f"{field.upper()}_IGNORED",
        detail=detail,
        batch_id=subject.batch_id,
    )


def repairs_page(batch_id: str, page_size: int, page_token: str) -> Call[Page[Repair]]:
    """Read a page of the repairs of a batch."""
    request = pb.ListRepairsRequest(batch_id=batch_id, page_size=page_size, page_token=page_token)

    def read(response: pb.ListRepairsResponse) -> Page[Repair]:
        return Page(tuple(map(to_repair, response.repairs)), response.next_page_token)

    return Call("ListRepairs", request, read, batch_id)


def passes_page(page_size: int, page_token: str) -> Call[Page[Pass]]:
    """Read a page of the passes of the reconciler."""
    request = operations_pb2.ListPassesRequest(page_size=page_size, page_token=page_token)

    def read(response: operations_pb2.ListPassesResponse) -> Page[Pass]:
        return Page(tuple(map(to_pass, response.passes)), response.next_page_token)

    return Call("ListPasses", request, read, stub=operations_pb2_grpc.OperationsServiceStub)


def create_watch_token(batch_id: str, ttl: float | None) -> Call[WatchToken]:
    """Create a watch token."""
    request = pb.CreateWatchTokenRequest(batch_id=batch_id)
    if ttl is not None:
        duration = Duration()
        duration.FromTimedelta(timedelta(seconds=ttl))
        request.ttl.CopyFrom(duration)
    return Call("CreateWatchToken", request, to_watch_token, batch_id)


def server_info() -> Call[ServerInfo]:
    """Read what the caller may know about the server."""
    request = operations_pb2.GetServerInfoRequest()
    return Call("GetServerInfo", request, to_server_info, stub=operations_pb2_grpc.OperationsServiceStub)


def _read_batch(response: Any) -> Batch:
    """Return the batch of a response that carries one."""
    return to_batch(response.batch)
