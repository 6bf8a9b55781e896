"""ProgressService in memory; the comments of the contract document each RPC."""

import functools
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

import grpc

from batchprogress.testing import _checks as checks
from batchprogress.testing._batch_filter import is_listed
from batchprogress.testing._failures import fingerprint, groups_of
from batchprogress.testing._memory import Memory
from batchprogress.testing._memory_batch import MemoryBatch
from batchprogress.testing._pages import page_of
from batchprogress.testing._refusals import Refused
from batchprogress.testing._watch_batches import ManyWatch
from batchprogress.v1 import operations_pb2, operations_pb2_grpc, progress_pb2_grpc
from batchprogress.v1 import progress_pb2 as pb

HEARTBEAT = pb.WatchBatchResponse()
HEARTBEAT_KEY = "batchprogress-heartbeat-seconds"
FAILURE_GROUPS_DEFAULT = 100
BATCHES_COUNTED_MAX = 10_000

Request = TypeVar("Request")
Response = TypeVar("Response")


def _answers(method: Callable[[Any, Request], Response]) -> Callable[[Any, Request, Any], Response]:
    """Make an RPC of a method, whose refusals become errors with the details of the contract."""

    @functools.wraps(method)
    def call(servicer: object, request: Request, context: grpc.ServicerContext) -> Response:
        try:
            return method(servicer, request)
        except Refused as refusal:
            _abort(context, refusal)

    return call


def _abort(context: grpc.ServicerContext, refusal: Refused) -> NoReturn:
    context.set_trailing_metadata(refusal.trailing_metadata())
    context.abort(refusal.code, str(refusal))


class MemoryProgressServicer(progress_pb2_grpc.ProgressServiceServicer):
    """Answers the calls about batches that no test has stored anywhere.

    Args:
        memory: where the batches are.
        is_serving: tells the watches when the server stops.

    """

    def __init__(self, memory: Memory, is_serving: Callable[[], bool]) -> None:
        self._memory = memory
        self._is_serving = is_serving

    @_answers
    def CreateBatch(self, request: pb.CreateBatchRequest) -> pb.CreateBatchResponse:
        request.batch_id = request.batch_id or str(uuid.uuid4())
        checks.check_creation(request)
        return pb.CreateBatchResponse(batch=self._memory.create(request))

    @_answers
    def AddJobs(self, request: pb.AddJobsRequest) -> pb.AddJobsResponse:
        checks.check_addition(request)
        batch = self._memory.change(
            request.batch_id, lambda one: one.add_jobs(request.additional_jobs, request.request_id)
        )
        return pb.AddJobsResponse(batch=batch)

    @_answers
    def SealBatch(self, request: pb.SealBatchRequest) -> pb.SealBatchResponse:
        batch_id = checks.check_batch_id(request.batch_id)
        return pb.SealBatchResponse(batch=self._memory.change(batch_id, MemoryBatch.seal))

    @_answers
    def CancelBatch(self, request: pb.CancelBatchRequest) -> pb.CancelBatchResponse:
        batch_id = checks.check_batch_id(request.batch_id)
        return pb.CancelBatchResponse(batch=self._memory.change(batch_id, MemoryBatch.cancel))

    @_answers
    def DeleteBatch(self, request: pb.DeleteBatchRequest) -> pb.DeleteBatchResponse:
        self._memory.delete(checks.check_batch_id(request.batch_id))
        return pb.DeleteBatchResponse()

    @_answers
    def GetBatch(self, request: pb.GetBatchRequest) -> pb.GetBatchResponse:
        batch_id = checks.check_batch_id(request.batch_id)
        return pb.GetBatchResponse(batch=self._memory.change(batch_id, lambda _: None))

    @_answers
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

    @_answers
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

    @_answers
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

    @_answers
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

    @_answers
    def GetJobResult(self, request: pb.GetJobResultRequest) -> pb.GetJobResultResponse:
        checks.check_job(request)
        with self._memory.locked(request.batch_id) as batch:
            if (found := batch.results.get(request.job_id)) is None:
                text = f"job {request.job_id} of batch {request.batch_id} has no recorded result"
                raise Refused(grpc.StatusCode.NOT_FOUND, "RESULT_NOT_FOUND", text)
            response = pb.GetJobResultResponse(job_result=found)
            response.job_result.error_details = batch.details.get(request.job_id, "")
            return response

    @_answers
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

    @_answers
    def ListPendingJobs(self, request: pb.ListPendingJobsRequest) -> pb.ListPendingJobsResponse:
        checks.check_page(request.batch_id, request.page_size)
        self._results(request.batch_id)  # no reconciler has ever looked at a batch that exists
        return pb.ListPendingJobsResponse()

    @_answers
    def GetBatchHistory(self, request: pb.GetBatchHistoryRequest) -> pb.GetBatchHistoryResponse:
        with self._memory.locked(checks.check_batch_id(request.batch_id)) as batch:
            return pb.GetBatchHistoryResponse(points=batch.history.points)

    @_answers
    def ListRepairs(self, request: pb.ListRepairsRequest) -> pb.ListRepairsResponse:
        checks.check_page(request.batch_id, request.page_size)
        self._results(request.batch_id)
        return pb.ListRepairsResponse()

    @_answers
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
            _abort(context, refusal)

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
            _abort(context, refusal)

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


class MemoryOperationsServicer(operations_pb2_grpc.OperationsServiceServicer):
    """Answers the calls about the server: there is no reconciler and no webhook; everybody may do everything.

    Args:
        version: the version of the package.

    """

    def __init__(self, version: str) -> None:
        self._version = version

    @_answers
    def GetServerInfo(
        self, _request: operations_pb2.GetServerInfoRequest
    ) -> operations_pb2.GetServerInfoResponse:
        return operations_pb2.GetServerInfoResponse(
            version=self._version, database="memory", roles=["worker", "reader", "operator"]
        )

    @_answers
    def ListPasses(self, _request: operations_pb2.ListPassesRequest) -> operations_pb2.ListPassesResponse:
        return operations_pb2.ListPassesResponse()

    @_answers
    def ListDeliveries(
        self, _request: operations_pb2.ListDeliveriesRequest
    ) -> operations_pb2.ListDeliveriesResponse:
        return operations_pb2.ListDeliveriesResponse()

    @_answers
    def RetryDelivery(
        self, request: operations_pb2.RetryDeliveryRequest
    ) -> operations_pb2.RetryDeliveryResponse:
        text = f"there is no delivery {request.delivery_id}"
        raise Refused(grpc.StatusCode.NOT_FOUND, "DELIVERY_NOT_FOUND", text)


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
        return grpc.unary_unary_rpc_method_handler(lambda _, context: _abort(context, refusal))
