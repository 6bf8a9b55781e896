"""ProgressService: checks requests, calls the store, the reports or the hub, and makes the answers.

Errors are not handled here: the error interceptor around every method answers them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

import grpc

from batches.batch import Batch
from batches.failure_groups import FailureGroup
from batches.listing import BatchFilter, Page
from batches.result import RecordedResult
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc
from rpc.answers.page_tokens import decode_token, next_token
from rpc.answers.pages import page_that_fits
from rpc.callers.principal import caller
from services.progress import batch_filters, convert, requests, scope, watch_requests
from services.progress.batch_messages import BatchMessages
from services.progress.batch_watches import BatchWatches
from services.progress.notify_hosts import NotifyHosts
from services.progress.reads import Reads, counted_read
from services.progress.reports import Reports
from services.progress.scope import require_visible
from services.progress.watch_hub import WatchHub
from services.progress.watch_tokens import CreateWatchToken

if TYPE_CHECKING:  # the edge must not load SQLAlchemy to name the store
    from batches.store.batch_store import BatchStore

Context = grpc.aio.ServicerContext[Any, Any]

HEARTBEAT = pb.WatchBatchResponse()
HEARTBEAT_KEY = "batchprogress-heartbeat-seconds"


class ProgressServicer(progress_pb2_grpc.ProgressServiceServicer):
    """One method per RPC; the comments of the contract document each.

    Args:
        store: where the batches are.
        reports: records results.
        hub: has the states of watched batches.
        messages: makes the messages of batches.
        changed: gets the ids of the batches that a request has changed.
        watches: makes the responses of watches of many batches.
        reads: runs the reads of callers.
        create_watch_token: makes the watch tokens.
        notify_hosts: which hosts a notify_url may lead to.

    """

    def __init__(  # noqa: PLR0913  # the parts of a server
        self,
        store: "BatchStore",
        reports: Reports,
        hub: WatchHub,
        messages: BatchMessages,
        changed: Callable[[Iterable[str]], None],
        *,
        watches: BatchWatches,
        reads: Reads,
        create_watch_token: CreateWatchToken,
        notify_hosts: NotifyHosts,
    ) -> None:
        self._store = store
        self._reports = reports
        self._hub = hub
        self._watches = watches
        self._messages = messages
        self._changed = changed
        self.reads = reads
        self._create_watch_token = create_watch_token
        self._notify_hosts = notify_hosts

    async def CreateBatch(self, request: pb.CreateBatchRequest, _context: Context) -> pb.CreateBatchResponse:
        new = scope.require_creatable(requests.to_new_batch(request, caller().batch_prefix))
        self._notify_hosts.require_allowed(new.notify_url)
        batch = await self._store.create_batch(new)
        self._changed([batch.batch_id])  # it may have replaced a batch that is watched
        return pb.CreateBatchResponse(batch=self._messages.of_changed(batch))

    async def AddJobs(self, request: pb.AddJobsRequest, _context: Context) -> pb.AddJobsResponse:
        batch_id, additional_jobs, request_id = requests.to_addition(request)
        batch = await self._store.add_jobs(require_visible(batch_id), additional_jobs, request_id)
        self._changed([batch.batch_id])
        return pb.AddJobsResponse(batch=self._messages.of_changed(batch))

    async def SealBatch(self, request: pb.SealBatchRequest, _context: Context) -> pb.SealBatchResponse:
        batch = await self._store.seal_batch(require_visible(requests.to_batch_id(request)))
        self._changed([batch.batch_id])
        return pb.SealBatchResponse(batch=self._messages.of_changed(batch))

    async def CancelBatch(self, request: pb.CancelBatchRequest, _context: Context) -> pb.CancelBatchResponse:
        batch = await self._store.cancel_batch(require_visible(requests.to_batch_id(request)))
        self._changed([batch.batch_id])
        return pb.CancelBatchResponse(batch=self._messages.of_changed(batch))

    async def DeleteBatch(self, request: pb.DeleteBatchRequest, _context: Context) -> pb.DeleteBatchResponse:
        batch_id = requests.to_batch_id(request)
        if scope.is_visible(batch_id):  # another one does not exist for the caller, as if it were deleted
            await self._store.delete_batch(batch_id)
            self._changed([batch_id])
        return pb.DeleteBatchResponse()

    @counted_read
    async def GetBatch(self, request: pb.GetBatchRequest, _context: Context) -> pb.GetBatchResponse:
        batch = await self._store.get_batch(require_visible(requests.to_batch_id(request)))
        (message,) = await self._messages.of([batch])
        return pb.GetBatchResponse(batch=message)

    @counted_read
    async def ListBatches(self, request: pb.ListBatchesRequest, _context: Context) -> pb.ListBatchesResponse:
        asked, size = batch_filters.to_batch_filter(request)
        filters = batch_filters.filters_of(request)
        before_key = decode_token("ListBatches", filters, request.page_token, int)
        selected = batch_filters.within(asked, caller().batch_prefix)
        if selected is None:
            return pb.ListBatchesResponse()
        page = await self._store.list_batches(selected, before_key=before_key, size=size)
        found = list(zip(page.items, await self._messages.of(page.items), strict=True))
        total_size = await self._total_size(selected, page, is_first=before_key is None)

        def to_response(
            batches: Sequence[tuple[Batch, pb.Batch]], next_key: int | None
        ) -> pb.ListBatchesResponse:
            return pb.ListBatchesResponse(
                batches=[message for _, message in batches],
                next_page_token=next_token("ListBatches", filters, next_key),
                total_size=total_size,
            )

        return page_that_fits(found, page.next_key, lambda one: one[0].batch_key, to_response)

    async def _total_size(self, selected: BatchFilter, page: Page[Batch, int], *, is_first: bool) -> int:
        """Return the number of selected batches, of which a page was read; 0 if it is unknown."""
        if not is_first:
            return 0
        if page.next_key is None:
            return len(page.items)
        counted = await self._store.count_batches(selected)
        return 0 if counted is None else counted

    def ReportJobResult(
        self, request: pb.ReportJobResultRequest, _context: Context
    ) -> Awaitable[pb.ReportJobResultResponse]:
        return self._reports.record_one(request)

    def ReportJobResults(
        self, request: pb.ReportJobResultsRequest, _context: Context
    ) -> Awaitable[pb.ReportJobResultsResponse]:
        return self._reports.record_many(request)

    @counted_read
    async def ListJobResults(
        self, request: pb.ListJobResultsRequest, _context: Context
    ) -> pb.ListJobResultsResponse:
        batch_id, selected, size = requests.to_result_filter(request)
        # Without a fingerprint, servers of 0.1 and this one continue each other's lists.
        filters = [batch_id, request.outcome, *filter(None, [request.fingerprint])]
        if request.job_id_prefix:
            filters.append({"job_id_prefix": request.job_id_prefix})
        after_job_id = decode_token("ListJobResults", filters, request.page_token, str)
        page = await self._store.list_results(
            require_visible(batch_id), selected, after_job_id=after_job_id, size=size
        )

        def to_response(results: Sequence[RecordedResult], next_key: str | None) -> pb.ListJobResultsResponse:
            return pb.ListJobResultsResponse(
                job_results=[convert.to_job_result(result) for result in results],
                next_page_token=next_token("ListJobResults", filters, next_key),
            )

        return page_that_fits(page.items, page.next_key, attrgetter("job_id"), to_response)

    @counted_read
    async def GetJobResult(
        self, request: pb.GetJobResultRequest, _context: Context
    ) -> pb.GetJobResultResponse:
        batch_id, job_id = requests.to_job(request)
        result = await self._store.get_result(require_visible(batch_id), job_id)
        return pb.GetJobResultResponse(job_result=convert.to_job_result(result))

    @counted_read
    async def ListPendingJobs(
        self, request: pb.ListPendingJobsRequest, _context: Context
    ) -> pb.ListPendingJobsResponse:
        batch_id, size = requests.to_page(request)
        after_job_id = decode_token("ListPendingJobs", batch_id, request.page_token, str)
        page = await self._store.list_pending_jobs(
            require_visible(batch_id), after_job_id=after_job_id, size=size
        )
        return convert.to_pending_jobs(page, next_token("ListPendingJobs", batch_id, page.jobs.next_key))

    @counted_read
    async def GetBatchHistory(
        self, request: pb.GetBatchHistoryRequest, _context: Context
    ) -> pb.GetBatchHistoryResponse:
        points = await self._store.read_history(require_visible(requests.to_batch_id(request)))
        return pb.GetBatchHistoryResponse(points=map(convert.to_history_point, points))

    @counted_read
    async def ListFailureGroups(
        self, request: pb.ListFailureGroupsRequest, _context: Context
    ) -> pb.ListFailureGroupsResponse:
        batch_id, size = requests.to_page(request, requests.FAILURE_GROUPS_DEFAULT)
        after = decode_token("ListFailureGroups", batch_id, request.page_token, int) or 0
        page = await self._store.list_failure_groups(require_visible(batch_id), after=after, size=size)
        numbered = list(enumerate(page.groups, start=after + 1))
        last = after + len(page.groups)

        def to_response(
            groups: Sequence[tuple[int, FailureGroup]], next_key: int | None
        ) -> pb.ListFailureGroupsResponse:
            return pb.ListFailureGroupsResponse(
                failure_groups=[convert.to_failure_group(group) for _, group in groups],
                next_page_token=next_token("ListFailureGroups", batch_id, next_key),
                total_size=page.total_size,
            )

        return page_that_fits(numbered, last if last < page.total_size else None, itemgetter(0), to_response)

    @counted_read
    async def ListRepairs(self, request: pb.ListRepairsRequest, _context: Context) -> pb.ListRepairsResponse:
        batch_id, size = requests.to_page(request)
        before_key = decode_token("ListRepairs", batch_id, request.page_token, int)
        page = await self._store.list_repairs(require_visible(batch_id), before_key=before_key, size=size)
        return pb.ListRepairsResponse(
            repairs=[convert.to_repair(repair) for repair in page.items],
            next_page_token=next_token("ListRepairs", batch_id, page.next_key),
        )

    async def WatchBatch(  # type: ignore[override]  # the stubs do not know handlers that write themselves
        self, request: pb.WatchBatchRequest, context: Context
    ) -> None:
        watch = watch_requests.to_watch(request)
        snapshots = self._hub.watch(
            require_visible(watch.batch_id),
            watch.after_revision,
            watch.min_interval_seconds,
            watch.heartbeat_seconds,
        )
        with scope.OpenWatch():
            await context.send_initial_metadata(_announced(watch.heartbeat_seconds))
            async with aclosing(snapshots):
                async for snapshot in snapshots:
                    await context.write(
                        HEARTBEAT if snapshot is None else await self._messages.of_snapshot(snapshot)
                    )

    async def WatchBatches(
        self, request: pb.WatchBatchesRequest, context: Context
    ) -> AsyncIterator[pb.WatchBatchesResponse]:
        watch = watch_requests.to_selection(request, caller().batch_prefix)
        responses = self._watches.watch(watch)
        with scope.OpenWatch():
            await context.send_initial_metadata(_announced(watch.heartbeat_seconds))
            async with aclosing(responses):
                async for response in responses:
                    yield response

    @counted_read
    async def CreateWatchToken(
        self, request: pb.CreateWatchTokenRequest, _context: Context
    ) -> pb.CreateWatchTokenResponse:
        batch_id, seconds = requests.to_watch_token(request)
        await self._store.get_batch(require_visible(batch_id))
        return convert.to_watch_token(self._create_watch_token(batch_id, seconds))


def _announced(heartbeat_seconds: float | None) -> tuple[tuple[str, str], ...]:
    """Return the initial metadata of a watch: a client tells by it that the server knows heartbeats."""
    return () if heartbeat_seconds is None else ((HEARTBEAT_KEY, f"{heartbeat_seconds:g}"),)
