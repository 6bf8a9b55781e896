"""The client of JobStatusService: the only file of the reconciler that knows gRPC and protobuf."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from batches.result import ERROR_MESSAGE_CHARACTERS_MAX, ERROR_TYPE_CHARACTERS_MAX, JobOutcome
from batchprogress import TlsFiles
from batchprogress.v1 import job_status_pb2, job_status_pb2_grpc
from reconciler.queue.port import (
    JobPage,
    JobsNotListed,
    QueueBatchUnknown,
    QueueContradiction,
    QueueCounts,
    QueueFault,
    QueueJob,
    QueueUnavailable,
)
from rpc.answers.fields import IDENTIFIER

TRIES_MAX = 4
"""Four tries, with waits of up to 0.2, 0.4 and 0.8 s, bridge the restart of a replica. The pass deals with
longer outages."""
RETRY_WAIT_SECONDS = 0.2
"""Upper bound of the first random wait; the bound doubles with each retry."""
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
"""Our own server keeps its pages below gRPC's default of 4 MiB; others may not."""
CONNECT_MS_MAX = 5_000
"""Limits an attempt to connect; gRPC's default of 20 s is longer than a call may take."""
RECONNECT_MS_MIN = 100
"""By default gRPC reconnects only after 1 s, so the retries above would fail without a connection."""

_UNAVAILABLE = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,  # by a server that is shutting down
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
"""A retry may succeed."""
_DENIED = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})
"""A retry cannot succeed, for this batch or any other."""

_OUTCOMES: dict[int, JobOutcome | None] = {0: None, **{int(outcome): outcome for outcome in JobOutcome}}
"""0: neither outcome nor pending is set, or the outcome is UNSPECIFIED."""
_WITHOUT_ERROR = frozenset({None, JobOutcome.SUCCEEDED})
"""Outcomes with which an error belongs to an earlier attempt."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.initial_reconnect_backoff_ms", RECONNECT_MS_MIN),
    ("grpc.min_reconnect_backoff_ms", CONNECT_MS_MAX),  # despite its name, the limit of one attempt
)

Answer = TypeVar("Answer", bound=Message)


def open_channel(target: str, tls: TlsFiles | None = None) -> grpc.aio.Channel:
    """Return a channel that connects with the first call, in plaintext without TLS files."""
    if tls is None:
        return grpc.aio.insecure_channel(target, options=_OPTIONS)
    return grpc.aio.secure_channel(target, tls.credentials(), options=_OPTIONS)


class JobStatusClient:
    """A JobQueue over gRPC.

    Args:
        channel: A channel to the JobStatusService; the caller closes it.
        call_seconds_max: The deadline of one attempt of a call, in seconds.
        token: The bearer token to send; none if empty.

    """

    def __init__(self, channel: grpc.aio.Channel, *, call_seconds_max: float, token: str = "") -> None:
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._stub = job_status_pb2_grpc.JobStatusServiceStub(channel)
        self._call_seconds_max = call_seconds_max

    async def batch_counts(self, batch_id: str) -> QueueCounts:
        """Return the counts of a batch; raises QueueError."""
        request = job_status_pb2.GetBatchStatusRequest(batch_id=batch_id)
        return to_counts(await self._call(self._stub.GetBatchStatus, request))

    async def job_page(self, batch_id: str, page_token: str, size: int) -> JobPage:
        """Return a page of jobs; raises QueueError."""
        request = job_status_pb2.ListJobStatusesRequest(
            batch_id=batch_id, page_size=size, page_token=page_token
        )
        try:
            answer = await self._call(self._stub.ListJobStatuses, request)
        except _Unimplemented as error:
            raise JobsNotListed("the queue keeps only counts") from error
        return JobPage(tuple(to_job(status) for status in answer.job_statuses), answer.next_page_token)

    async def _call(self, method: Callable[..., Awaitable[Answer]], request: Message) -> Answer:
        """Return the answer; while the service is unavailable, try again with a new deadline."""

        async def once() -> Answer | None:
            return await method(request, timeout=self._call_seconds_max, metadata=self._metadata)

        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_unavailable),
            wait=wait_random_exponential(multiplier=RETRY_WAIT_SECONDS),
            stop=stop_after_attempt(TRIES_MAX),
            reraise=True,
        )
        try:
            answer: Answer | None = await retrying(once)
        except grpc.aio.AioRpcError as error:
            raise _translated(error.code()) from error
        if answer is None:  # what grpc.aio returns for bytes that it cannot decode
            raise QueueContradiction("the job-status service's answer cannot be decoded")
        return answer


class _Unimplemented(QueueFault):
    """The queue's service does not have this call."""


def _is_unavailable(error: BaseException) -> bool:
    return isinstance(error, grpc.aio.AioRpcError) and error.code() in _UNAVAILABLE


def _translated(code: grpc.StatusCode) -> Exception:
    """Return our error for a status code; the server's own text may hold secrets and is not repeated."""
    if code is grpc.StatusCode.NOT_FOUND:
        return QueueBatchUnknown("the queue does not know the batch")
    if code is grpc.StatusCode.FAILED_PRECONDITION:
        return QueueContradiction("the job-status service found contradictory data in the queue")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return _Unimplemented("the job-status service does not have this call")
    if code in _DENIED:
        return QueueUnavailable(
            f"the job-status service denies access ({code.name});"
            " check RECONCILER_JOB_STATUS_TOKEN_FILE and the token's role"
        )
    if code in _UNAVAILABLE:
        return QueueUnavailable(f"the job-status service does not answer ({code.name})")
    return QueueFault(f"the job-status service answers {code.name}")


def to_counts(answer: job_status_pb2.GetBatchStatusResponse) -> QueueCounts:
    """Return the counts as they were received, true or not."""
    return QueueCounts(
        total=answer.total,
        succeeded=answer.succeeded,
        failed=answer.failed,
        skipped=answer.skipped,
        pending=answer.pending,
        finished=answer.finished,
        cancelled=answer.cancelled,
        lists_jobs=answer.lists_jobs,
    )


def to_job(status: job_status_pb2.JobStatus) -> QueueJob:
    """Return a job as a worker could have reported it, its error cut to the permitted length.

    Raises:
        QueueContradiction: No worker could have reported it.

    """
    job_id, attempt = status.job_id, status.attempt
    if IDENTIFIER.fullmatch(job_id) is None:
        raise QueueContradiction("the queue lists a job with an invalid job id")
    if attempt < 0:
        raise QueueContradiction("the queue lists a job with a negative attempt")
    try:
        outcome = _OUTCOMES[status.outcome]
    except KeyError:
        raise QueueContradiction("the queue lists a job with an unknown outcome") from None
    if outcome in _WITHOUT_ERROR:
        return QueueJob(job_id, outcome, attempt or 1)
    return QueueJob(
        job_id,
        outcome,
        attempt or 1,
        status.error_type[:ERROR_TYPE_CHARACTERS_MAX],
        status.error_message[:ERROR_MESSAGE_CHARACTERS_MAX],
    )
