"""A fake queue behind a real gRPC server of JobStatusService: it can lie, stall, fail or send garbage."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from batches.result import JobOutcome
from batchprogress.v1 import job_status_pb2
from rpc.answers.refusal import Refusal

Context = grpc.aio.ServicerContext[Any, Any]
Failure = Callable[[str, str], grpc.StatusCode | None]
"""Given the method and batch_id of a call, returns the status to fail it with; None to answer it."""

CONTRADICTION = grpc.StatusCode.FAILED_PRECONDITION
JOBS_PER_PAGE_DEFAULT = 1_000
JOBS_PER_PAGE_MAX = 5_000


@dataclass(frozen=True, slots=True)
class FakeJob:
    """A job in the queue; `outcome` None means pending, and a number is sent unchanged."""

    job_id: str
    outcome: JobOutcome | int | None = JobOutcome.SUCCEEDED
    attempt: int = 1
    error_type: str = ""
    error_message: str = ""
    problem: str = ""
    display_name: str = ""

    def to_message(self) -> job_status_pb2.JobStatus:
        """Return the job as it is listed."""
        message = job_status_pb2.JobStatus(
            job_id=self.job_id,
            attempt=self.attempt,
            error_type=self.error_type,
            error_message=self.error_message,
            problem=self.problem,
            display_name=self.display_name,
        )
        if self.outcome is not None:
            message.outcome = self.outcome  # type: ignore[assignment]  # possibly an unknown number
        return message


@dataclass(slots=True)
class FakeBatch:
    """A batch in the queue; its answers match its jobs unless a field says otherwise."""

    jobs: list[FakeJob]
    lists_jobs: bool = True
    finished: bool = True
    cancelled: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    """Counts to answer instead of the true ones."""
    listed: list[FakeJob] | None = None
    """Jobs to list instead of the true ones."""
    refuses_listing: bool = False
    """Whether the listing is refused although `lists_jobs` is true."""
    contradiction: str | None = None
    """The `problem` to refuse all calls with."""
    raw_status: bytes | None = None
    """Bytes to send instead of the counts."""
    raw_page: bytes | None = None
    """Bytes to send instead of a page."""
    same_token: bool = False
    """Whether every page has a next page token."""
    empty_pages: int = 0
    """How many empty pages each listing starts with; their tokens are negative."""

    def to_message(self) -> job_status_pb2.GetBatchStatusResponse:
        """Return the counts."""
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
        """Return a page; the token is the position of its first job."""
        jobs = self.jobs if self.listed is None else self.listed
        start = int(token or -self.empty_pages)
        if start < 0:
            return job_status_pb2.ListJobStatusesResponse(next_page_token=str(start + 1))
        end = start + min(size or JOBS_PER_PAGE_DEFAULT, JOBS_PER_PAGE_MAX)
        return job_status_pb2.ListJobStatusesResponse(
            job_statuses=[job.to_message() for job in jobs[start:end]],
            next_page_token=str(end) if end < len(jobs) or self.same_token else "",
        )


class Stall:
    """Makes calls wait until the test releases them."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        """Set when the first call is waiting."""
        self.over = asyncio.Event()
        """Set it to release all calls."""

    async def wait(self) -> None:
        """Wait for the release."""
        self.reached.set()
        await self.over.wait()


class QueueFake:
    """A scripted JobStatusService."""

    def __init__(self, batches: dict[str, FakeBatch] | None = None) -> None:
        self.batches = batches or {}
        self.calls: list[tuple[str, str]] = []
        """The method and batch_id of every call received."""
        self.failure: Failure = lambda _method, _batch_id: None
        self.stalls: dict[str, Stall] = {}
        """The batches whose calls wait, by batch_id."""
        self.before_page: Callable[[str, str], Any] | None = None
        """Awaited with batch_id and page token before a page is returned, to change something meanwhile."""
        self.health: int | None = None
        """What the health check answers, a ServingStatus; None if the service has no health check."""

    def stall(self, batch_id: str) -> Stall:
        """Make the calls for a batch wait."""
        return self.stalls.setdefault(batch_id, Stall())

    async def get_batch_status(
        self, request: job_status_pb2.GetBatchStatusRequest, context: Context
    ) -> Message | bytes:
        """Return the counts, or do as the test says."""
        batch = await self._found("GetBatchStatus", request.batch_id, context)
        return batch.to_message() if batch.raw_status is None else batch.raw_status

    async def list_job_statuses(
        self, request: job_status_pb2.ListJobStatusesRequest, context: Context
    ) -> Message | bytes:
        """Return a page, or do as the test says."""
        batch = await self._found("ListJobStatuses", request.batch_id, context)
        if not batch.lists_jobs or batch.refuses_listing:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "counts only")
        if self.before_page is not None:
            await self.before_page(request.batch_id, request.page_token)
        if batch.raw_page is not None:
            return batch.raw_page
        return batch.page(request.page_token, request.page_size)

    async def check_health(self, _request: health_pb2.HealthCheckRequest, context: Context) -> Message:
        """Answer the health check, if there is one."""
        if self.health is None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "no health check")
        return health_pb2.HealthCheckResponse(status=self.health)

    async def _found(self, method: str, batch_id: str, context: Context) -> FakeBatch:
        self.calls.append((method, batch_id))
        if batch_id in self.stalls:
            await self.stalls[batch_id].wait()
        code = self.failure(method, batch_id)
        if code is not None:
            await context.abort(code, "secret text of the queue")
        if batch_id not in self.batches:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such batch")
        batch = self.batches[batch_id]
        if batch.contradiction is not None:
            metadata = {"problem": batch.contradiction}
            refusal = Refusal(CONTRADICTION, "QUEUE_CONTRADICTION", "secret text", metadata=metadata)
            await context.abort(refusal.code, refusal.message, refusal.trailing_metadata())
        return batch


def failing(code: grpc.StatusCode, *batch_ids: str) -> Failure:
    """Fail every call for these batches; for all batches if none is named."""
    return lambda _method, batch_id: code if not batch_ids or batch_id in batch_ids else None


def failing_at_random(codes: Iterable[grpc.StatusCode], share: float, seed: int) -> Failure:
    """Fail this share of the calls, each with a random status."""
    choice, chosen = random.Random(seed), tuple(codes)
    return lambda _method, _batch_id: choice.choice(chosen) if choice.random() < share else None


@asynccontextmanager
async def served(queue: QueueFake, port: int = 0) -> AsyncIterator[str]:
    """Serve the queue on a local port; yields host:port."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_handlers(queue), _health_handlers(queue)))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        await server.stop(None)


def _handlers(queue: QueueFake) -> grpc.GenericRpcHandler:
    """Return handlers that may send any bytes, unlike those of the generated servicer."""
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


def _health_handlers(queue: QueueFake) -> grpc.GenericRpcHandler:
    check = grpc.unary_unary_rpc_method_handler(
        queue.check_health,
        request_deserializer=health_pb2.HealthCheckRequest.FromString,
        response_serializer=_to_bytes,
    )
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})


def _to_bytes(answer: Message | bytes) -> bytes:
    return answer if isinstance(answer, bytes) else answer.SerializeToString()
