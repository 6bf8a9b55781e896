"""A queue behind a real gRPC JobStatusService that does what a test tells it to: lie, stall, fail, gibber."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message

from batches.result import JobOutcome
from batchprogress.v1 import job_status_pb2

Context = grpc.aio.ServicerContext[Any, Any]
Failure = Callable[[str, str], grpc.StatusCode | None]
"""Takes the method and the batch_id of a call, returns the status to fail it with, None to answer it."""

JOBS_PER_PAGE_DEFAULT = 1_000
JOBS_PER_PAGE_MAX = 5_000


@dataclass(frozen=True, slots=True)
class FakeJob:
    """A job in the queue; `outcome` None is pending, a number is sent as it is."""

    job_id: str
    outcome: JobOutcome | int | None = JobOutcome.SUCCEEDED
    attempt: int = 1
    error_type: str = ""
    error_message: str = ""

    def to_message(self) -> job_status_pb2.JobStatus:
        """Return it as it is listed."""
        message = job_status_pb2.JobStatus(
            job_id=self.job_id,
            attempt=self.attempt,
            error_type=self.error_type,
            error_message=self.error_message,
        )
        if self.outcome is not None:
            message.outcome = self.outcome  # type: ignore[assignment]  # a number that there may not be
        return message


@dataclass(slots=True)
class FakeBatch:
    """A batch in the queue: its counts are those of its jobs, unless it lies."""

    jobs: list[FakeJob]
    lists_jobs: bool = True
    finished: bool = True
    cancelled: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    """Counts to tell instead of the true ones."""
    listed: list[FakeJob] | None = None
    """Jobs to list instead of the true ones."""
    refuses_listing: bool = False
    """Says that it lists jobs, and then does not."""
    raw_status: bytes | None = None
    """Bytes to answer instead of the counts."""
    raw_page: bytes | None = None
    """Bytes to answer instead of a page."""
    same_token: bool = False
    """Promises another page for ever."""

    def to_message(self) -> job_status_pb2.GetBatchStatusResponse:
        """Return the counts as they are told."""
        outcomes = [job.outcome for job in self.jobs]
        numbers = {
            "total": len(outcomes),
            "succeeded": outcomes.count(JobOutcome.SUCCEEDED),
            "failed": outcomes.count(JobOutcome.FAILED),
            "skipped": outcomes.count(JobOutcome.SKIPPED),
            "pending": outcomes.count(None),
        }
        return job_status_pb2.GetBatchStatusResponse(
            **(numbers | self.counts),
            finished=self.finished,
            cancelled=self.cancelled,
            lists_jobs=self.lists_jobs,
        )

    def page(self, token: str, size: int) -> job_status_pb2.ListJobStatusesResponse:
        """Return a page; the token is the number of the job it begins with."""
        jobs = self.jobs if self.listed is None else self.listed
        begin = int(token or 0)
        end = begin + min(size or JOBS_PER_PAGE_DEFAULT, JOBS_PER_PAGE_MAX)
        return job_status_pb2.ListJobStatusesResponse(
            job_statuses=[job.to_message() for job in jobs[begin:end]],
            next_page_token=str(end) if end < len(jobs) or self.same_token else "",
        )


class Stall:
    """Calls that wait until they are let go."""

    def __init__(self) -> None:
        """Start with calls waiting."""
        self.reached = asyncio.Event()
        """Set when the first call waits."""
        self.over = asyncio.Event()
        """Set it to let all calls go."""

    async def wait(self) -> None:
        """Wait, as one of the calls."""
        self.reached.set()
        await self.over.wait()


class QueueFake:
    """A scripted JobStatusService."""

    def __init__(self) -> None:
        """Start with no batch."""
        self.batches: dict[str, FakeBatch] = {}
        self.calls: list[tuple[str, str]] = []
        """Every call that came: its method and its batch_id."""
        self.failure: Failure = lambda _method, _batch_id: None
        self.stalls: dict[str, Stall] = {}
        """By batch_id."""
        self.before_page: Callable[[str, str], Any] | None = None
        """Awaited with batch_id and page token before a page is answered: what happens meanwhile."""

    def stall(self, batch_id: str) -> Stall:
        """Let the calls for a batch wait."""
        return self.stalls.setdefault(batch_id, Stall())

    async def get_batch_status(
        self, request: job_status_pb2.GetBatchStatusRequest, context: Context
    ) -> Message | bytes:
        """Answer counts."""
        batch = await self._found("GetBatchStatus", request.batch_id, context)
        return batch.to_message() if batch.raw_status is None else batch.raw_status

    async def list_job_statuses(
        self, request: job_status_pb2.ListJobStatusesRequest, context: Context
    ) -> Message | bytes:
        """Answer a page."""
        batch = await self._found("ListJobStatuses", request.batch_id, context)
        if not batch.lists_jobs or batch.refuses_listing:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "counts only")
        if self.before_page is not None:
            await self.before_page(request.batch_id, request.page_token)
        if batch.raw_page is not None:
            return batch.raw_page
        return batch.page(request.page_token, request.page_size)

    async def _found(self, method: str, batch_id: str, context: Context) -> FakeBatch:
        self.calls.append((method, batch_id))
        if batch_id in self.stalls:
            await self.stalls[batch_id].wait()
        code = self.failure(method, batch_id)
        if code is not None:
            await context.abort(code, "secret text of the queue")
        if batch_id not in self.batches:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such batch")
        return self.batches[batch_id]


def failing(code: grpc.StatusCode, *batch_ids: str) -> Failure:
    """Fail every call for these batches, or for all."""
    return lambda _method, batch_id: code if not batch_ids or batch_id in batch_ids else None


def failing_at_random(codes: Iterable[grpc.StatusCode], share: float, seed: int) -> Failure:
    """Fail so large a share of the calls."""
    choice, chosen = random.Random(seed), tuple(codes)
    return lambda _method, _batch_id: choice.choice(chosen) if choice.random() < share else None


@asynccontextmanager
async def served(queue: QueueFake, port: int = 0) -> AsyncIterator[str]:
    """Serve the queue on a port of this machine; yields host:port."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_handlers(queue),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        await server.stop(None)


def _handlers(queue: QueueFake) -> grpc.GenericRpcHandler:
    """By hand instead of by the generated servicer, which would not send bytes that are no message."""
    return grpc.method_handlers_generic_handler(
        "batchprogress.v1.JobStatusService",
        {
            "GetBatchStatus": grpc.unary_unary_rpc_method_handler(
                queue.get_batch_status,
                request_deserializer=job_status_pb2.GetBatchStatusRequest.FromString,
                response_serializer=_to_bytes,
            ),
            "ListJobStatuses": grpc.unary_unary_rpc_method_handler(
                queue.list_job_statuses,
                request_deserializer=job_status_pb2.ListJobStatusesRequest.FromString,
                response_serializer=_to_bytes,
            ),
        },
    )


def _to_bytes(answer: Message | bytes) -> bytes:
    return answer if isinstance(answer, bytes) else answer.SerializeToString()
