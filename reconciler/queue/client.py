"""The client of JobStatusService: the one file of the reconciler that knows gRPC and protobuf."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from batches.result import ERROR_MESSAGE_CHARACTERS_MAX, ERROR_TYPE_CHARACTERS_MAX, JobOutcome
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
"""With waits of up to 0.2, 0.4 and 0.8 s they bridge a restarting replica; a longer absence is the pass's."""
RETRY_WAIT_SECONDS = 0.2
"""The longest first wait; each is drawn at random below its limit, which doubles."""
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
"""Our own server keeps its pages below gRPC's default of 4 MiB; another one may not know of it."""
CONNECT_MS_MAX = 5_000
"""For an attempt to connect, handshakes included; gRPC's own 20 s are longer than a call may take."""
RECONNECT_MS_MIN = 100
"""gRPC waits 1 s before it connects again: every retry above would fail without having tried."""

_AWAY = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,  # by the server, as it stops
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
"""Worth another try."""
_CLOSED = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})
"""Not worth one, and the same for every batch."""

Answer = TypeVar("Answer", bound=Message)

_OUTCOMES: dict[int, JobOutcome | None] = {0: None, **{int(outcome): outcome for outcome in JobOutcome}}
"""0: neither outcome nor pending is set, or the outcome is UNSPECIFIED."""
_WITHOUT_ERROR = frozenset({None, JobOutcome.SUCCEEDED})


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Whose certificates the service may have, and one's own; all PEM."""

    ca: bytes | None
    certificate: bytes | None = None
    key: bytes | None = None


_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.initial_reconnect_backoff_ms", RECONNECT_MS_MIN),
    ("grpc.min_reconnect_backoff_ms", CONNECT_MS_MAX),  # despite its name
)


def open_channel(target: str, tls: ClientTls | None = None) -> grpc.aio.Channel:
    """Return a channel to a JobStatusService; nothing is connected yet."""
    if tls is None:
        return grpc.aio.insecure_channel(target, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(tls.ca, tls.key, tls.certificate)
    return grpc.aio.secure_channel(target, credentials, options=_OPTIONS)


class JobStatusClient:
    """A JobQueue over gRPC."""

    def __init__(self, channel: grpc.aio.Channel, *, call_seconds_max: float, token: str = "") -> None:
        """Take a channel, which the caller closes, the deadline of one try, and a bearer token if any."""
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._stub = job_status_pb2_grpc.JobStatusServiceStub(channel)
        self._call_seconds_max = call_seconds_max

    async def batch_counts(self, batch_id: str) -> QueueCounts:
        """Return the counts of a batch; raises QueueError."""
        request = job_status_pb2.GetBatchStatusRequest(batch_id=batch_id)
        return to_counts(
            await _retried(
                lambda: self._stub.GetBatchStatus(
                    request, timeout=self._call_seconds_max, metadata=self._metadata
                )
            )
        )

    async def job_page(self, batch_id: str, page_token: str, size: int) -> JobPage:
        """Return a page of jobs; raises QueueError."""
        request = job_status_pb2.ListJobStatusesRequest(
            batch_id=batch_id, page_size=size, page_token=page_token
        )
        try:
            answer = await _retried(
                lambda: self._stub.ListJobStatuses(
                    request, timeout=self._call_seconds_max, metadata=self._metadata
                )
            )
        except _Unimplemented as error:
            raise JobsNotListed("the queue keeps only counts") from error
        return JobPage(tuple(to_job(status) for status in answer.job_statuses), answer.next_page_token)


class _Unimplemented(QueueFault):
    """The queue's service does not have this call."""


async def _retried(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Return the answer of a call, tried anew with a fresh deadline while the service is away."""

    async def once() -> Answer | None:
        return await call()

    retrying = AsyncRetrying(
        retry=retry_if_exception(_is_away),
        wait=wait_random_exponential(multiplier=RETRY_WAIT_SECONDS),
        stop=stop_after_attempt(TRIES_MAX),
        reraise=True,
    )
    try:
        answer: Answer | None = await retrying(once)
    except grpc.aio.AioRpcError as error:
        raise _translated(error.code()) from error
    if answer is None:  # what grpc.aio makes of bytes that are no message
        raise QueueContradiction("the queue's answer cannot be decoded")
    return answer


def _is_away(error: BaseException) -> bool:
    return isinstance(error, grpc.aio.AioRpcError) and error.code() in _AWAY


def _translated(code: grpc.StatusCode) -> Exception:
    """Return the error of ours for a status; its text names the code only, never what another server says."""
    if code is grpc.StatusCode.NOT_FOUND:
        return QueueBatchUnknown("the queue does not know the batch")
    if code is grpc.StatusCode.FAILED_PRECONDITION:
        return QueueContradiction("the queue cannot read its own batch")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return _Unimplemented("the job-status service does not have this call")
    if code in _AWAY or code in _CLOSED:
        return QueueUnavailable(f"the job-status service does not answer ({code.name})")
    return QueueFault(f"the job-status service answers {code.name}")


def to_counts(answer: job_status_pb2.GetBatchStatusResponse) -> QueueCounts:
    """Return the counts as they were said, true or not."""
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
    """Return a job; QueueContradiction if it is none that a worker could have reported."""
    job_id, attempt = status.job_id, status.attempt
    if IDENTIFIER.fullmatch(job_id) is None:
        raise QueueContradiction("the queue lists a job whose id is none")
    if attempt < 0:
        raise QueueContradiction("the queue lists a job with a negative attempt")
    try:
        outcome = _OUTCOMES[status.outcome]
    except KeyError:
        raise QueueContradiction("the queue lists a job with an outcome that there is not") from None
    if outcome in _WITHOUT_ERROR:  # with these an error is an earlier attempt's
        return QueueJob(job_id, outcome, attempt or 1)
    return QueueJob(
        job_id,
        outcome,
        attempt or 1,
        status.error_type[:ERROR_TYPE_CHARACTERS_MAX],
        status.error_message[:ERROR_MESSAGE_CHARACTERS_MAX],
    )
