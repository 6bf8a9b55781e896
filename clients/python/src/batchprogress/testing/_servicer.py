"""ProgressService in memory; the comments of the contract document each RPC."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from batchprogress._calls.liveness import HEARTBEAT_KEY
from batchprogress.testing import _checks as checks
from batchprogress.testing._batch_filter import is_listed
from batchprogress.testing._failures import fingerprint, groups_of
from batchprogress.testing._memory import Memory
from batchprogress.testing._memory_batch import MemoryBatch
from batchprogress.testing._notify_hosts import NotifyHosts
from batchprogress.testing._operations import MemoryOperationsServicer
from batchprogress.testing._pages import page_of
from batchprogress.testing._refusals import Refused
from batchprogress.testing._rpc import abort, answers
from batchprogress.testing._watch_batches import ManyWatch
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc

HEARTBEAT = pb.WatchBatchResponse()
FAILURE_GROUPS_DEFAULT = 100
BATCHES_COUNTED_MAX = 10_000


class MemoryProgressServicer(progress_pb2_grpc.ProgressServiceServicer):
    """Answers the calls about batches that no test has stored anywhere.

    Args:
        memory: where the batches are.
        notify_hosts: which hosts the notify_url of a batch may lead to.
        is_serving: tells the watches when the server stops.

    """

    def __init__(self, memory: Memory, notify_hosts: NotifyHosts, is_serving: Callable[[], bool]) -> None:
        self._memory = memory
        self._notify_hosts = notify_hosts
        self._is_serving = is_serving

    @answers
    def CreateBatch(self, request: pb.CreateBatchRequest) -> pb.CreateBatchResponse:
        request.batch_id = request.batch_id or str(uuid.uuid4())
        checks.check_creation(request)
        self._notify_hosts.require_allowed(request.notify_url)
        return pb.CreateBatchResponse(batch=self._memory.create(request))

    @answers
    def AddJobs(self, request: pb.AddJobsRequest) -> pb.AddJobsResponse:
        checks.check_addition(request)
        batch = self._memory.change(
            request.batch_id, lambda one: one.add_jobs(request.additional_jobs, request.request_id)
        )
        return pb.AddJobsResponse(batch=batch)

    @answers
    def SealBatch(self, request: pb.SealBatchRequest) -> pb.SealBatchResponse:
        batch_id = checks.check_batch_id(request.batch_id)
        return pb.SealBatchResponse(batch=self._memory.change(batch_id, MemoryBatch.seal))

    @answers
    def CancelBatch(self, request: pb.CancelBatchRequest) -> pb.CancelBatchResponse:
        batch_id = checks.check_batch_id(request.batch_id)
        return pb.CancelBatchResponse(batch=self._memory.change(batch_id, MemoryBatch.cancel))

    @answers
    def DeleteBatch(self, request: pb.DeleteBatchRequest) -> pb.DeleteBatchResponse:
        self._memory.delete(checks.check_batch_id(request.batch_id))
        return pb.DeleteBatchResponse()

    @answers
    def GetBatch(self, request: pb.GetBatchRequest) -> pb.GetBatchResponse:
        batch_id = checks.check_batch_id(request.batch_id)
        return pb.GetBatchResponse(batch=self._memory.change(batch_id, lambda _: None))

    @answers
    def ListBatches(self, request: pb.ListBatchesRequest) -> pb.ListBatchesResponse:
        checks.check_batches(request)
        found = [
            (number, batch) for number, batch in self._memory.newest_first() if is_listed(batch, request)
        ]
        asked = pb.ListBatchesRequest()
        asked.CopyFrom(request)
        asked.ClearField("page_token")
        asked.ClearField("page_size")
        of = ("ListBatches", asked.SerializeToString(deterministic=True).hex())
        page, token = page_of(
            found, lambda one: one[0], of=of, token=request.page_token, size=request.page_size
        )
        total_size = 0 if request.page_token else min(len(found), BATCHES_COUNTED_MAX)
        return pb.ListBatchesResponse(
            batches=[batch for _, batch in page], next_page_token=token, total_size=total_size
        )

    @answers
    def ReportJobResult(self, request: pb.ReportJobResultRequest) -> pb.ReportJobResultResponse:
        if refusal := checks.check_report(request):
            raise refusal
        with self._memory.locked(request.batch_id) as batch:
            (verdict,) = batch.record([request])
            if isinstance(verdict, Refused):
                raise verdict
            return pb.ReportJobResultResponse(
                disposition=verdict, batch_state=batch.message.state, revision=batch.message.revision
            )

    @answers
    def ReportJobResults(self, request: pb.ReportJobResultsRequest) -> pb.ReportJobResultsResponse:
        checks.check_reports(request)
        refusals = [checks.check_report(one) for one in request.results]
        valid = [one for one, refusal in zip(request.results, refusals, strict=True) if refusal is None]
        recorded = iter(self._memory.record(valid))
        answers = [
            next(recorded) if refusal is None else pb.ReportedResult(error=refusal.as_error())
            for refusal in refusals
        ]
        return pb.ReportJobResultsResponse(results=answers)

    @answers
    def ListJobResults(self, request: pb.ListJobResultsRequest) -> pb.ListJobResultsResponse:
        checks.check_results(request)
        found = [
            result
            for result in self._results(request.batch_id)
            if request.outcome in (pb.JOB_OUTCOME_UNSPECIFIED, result.outcome)
            and request.fingerprint in ("", fingerprint(result))
            and result.job_id.startswith(request.job_id_prefix)
        ]
        filters = (request.outcome, request.fingerprint, request.job_id_prefix)
        of = ("ListJobResults", request.batch_id, *filters)
        page, token = page_of(
            found, lambda one: one.job_id, of=of, token=request.page_token, size=request.page_size
        )
        return pb.ListJobResultsResponse(job_results=page, next_page_token=token)

    @answers
    def GetJobResult(self, request: pb.GetJobResultRequest) -> pb.GetJobResultResponse:
        checks.check_job(request)
        with self._memory.locked(request.batch_id) as batch:
            if (found := batch.results.get(request.job_id)) is None:
                text = f"job {request.job_id} of batch {request.batch_id} has no recorded result"
                raise Refused(grpc.StatusCode.NOT_FOUND, "RESULT_NOT_FOUND", text)
            response = pb.GetJobResultResponse(job_result=found)
            response.job_result.error_details = batch.details.get(request.job_id, "")
            return response

    @answers
    def ListFailureGroups(self, request: pb.ListFailureGroupsRequest) -> pb.ListFailureGroupsResponse:
        checks.check_page(request.batch_id, request.page_size)
        groups = list(enumerate(groups_of(self._results(request.batch_id)), start=1))
        page, token = page_of(
            groups,
            lambda one: one[0],
            of=("ListFailureGroups", request.batch_id),
            token=request.page_token,
            size=request.page_size,
            size_default=FAILURE_GROUPS_DEFAULT,
        )
        return pb.ListFailureGroupsResponse(
            failure_groups=[group for _, group in page], next_page_token=token, total_size=len(groups)
        )

    @answers
    def ListPendingJobs(self, request: pb.ListPendingJobsRequest) -> pb.ListPendingJobsResponse:
        checks.check_page(request.batch_id, request.page_size)
        self._results(request.batch_id)  # no reconciler has ever looked at a batch that exists
        return pb.ListPendingJobsResponse()

    @answers
    def GetBatchHistory(self, request: pb.GetBatchHistoryRequest) -> pb.GetBatchHistoryResponse:
        with self._memory.locked(checks.check_batch_id(request.batch_id)) as batch:
            return pb.GetBatchHistoryResponse(points=batch.history.points)

    @answers
    def ListRepairs(self, request: pb.ListRepairsRequest) -> pb.ListRepairsResponse:
        checks.check_page(request.batch_id, request.page_size)
        self._results(request.batch_id)
        return pb.ListRepairsResponse()

    @answers
    def CreateWatchToken(self, request: pb.CreateWatchTokenRequest) -> pb.CreateWatchTokenResponse:
        self._results(checks.check_batch_id(request.batch_id))
        text = "this server requires no tokens"
        raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "WATCH_TOKENS_OFF", text)

    def WatchBatch(
        self, request: pb.WatchBatchRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchBatchResponse]:
        try:
            yield from self._watch(request, context)
        except Refused as refusal:
            abort(context, refusal)

    def _watch(
        self, request: pb.WatchBatchRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchBatchResponse]:
        checks.check_watch(request)
        self._results(request.batch_id)
        seconds = self._begin_watch(request, context)
        states = self._memory.states(
            request,
            checks.seconds_of(request.min_interval),
            seconds,
            lambda: self._is_serving() and context.is_active(),
        )
        for state in states:
            yield HEARTBEAT if state is None else pb.WatchBatchResponse(batch=state)

    def WatchBatches(
        self, request: pb.WatchBatchesRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchBatchesResponse]:
        try:
            checks.check_watch_of_many(request)
            watch = ManyWatch(request)
            seconds = self._begin_watch(request, context)
            yield from self._memory.watched(
                watch, seconds, lambda: self._is_serving() and context.is_active()
            )
        except Refused as refusal:
            abort(context, refusal)

    def _begin_watch(
        self, request: pb.WatchBatchRequest | pb.WatchBatchesRequest, context: grpc.ServicerContext
    ) -> float | None:
        """Send the initial metadata of a watch; return the interval of its heartbeats."""
        seconds = (
            checks.seconds_of(request.heartbeat_interval) if request.HasField("heartbeat_interval") else None
        )
        context.send_initial_metadata(() if seconds is None else ((HEARTBEAT_KEY, f"{seconds:g}"),))
        context.add_callback(self._memory.wake)
        return seconds

    def _results(self, batch_id: str) -> list[pb.JobResult]:
        """Return the results of a batch in ascending order of their jobs."""
        with self._memory.locked(batch_id) as batch:
            return [batch.results[job_id] for job_id in sorted(batch.results)]


class RefuseUnknownCalls(grpc.ServerInterceptor):
    """Answers a call that this server does not know with the details of the contract, too."""

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """Return what handles a call."""
        name = handler_call_details.method.rpartition("/")[2]
        if name in vars(MemoryProgressServicer) or name in vars(MemoryOperationsServicer):
            return continuation(handler_call_details)
        refusal = Refused(
            grpc.StatusCode.UNIMPLEMENTED, "UNKNOWN_METHOD", f"the server in memory does not know {name}"
        )
        return grpc.unary_unary_rpc_method_handler(lambda _, context: abort(context, refusal))
