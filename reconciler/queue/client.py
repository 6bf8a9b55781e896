"""The client of JobStatusService: the only file of the reconciler that knows gRPC and protobuf."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from batches.result import (
    ERROR_MESSAGE_CHARACTERS_MAX,
    ERROR_TYPE_CHARACTERS_MAX,
    JOB_NAME_CHARACTERS_MAX,
    JobOutcome,
)
from batchprogress import TlsFiles
from batchprogress.v1 import job_status_pb2, job_status_pb2_grpc
from reconciler.queue.port import (
    JobPage,
    JobsNotListed,
    QueueAccessDenied,
    QueueBatchUnknown,
    QueueContradiction,
    QueueCounts,
    QueueError,
    QueueFault,
    QueueJob,
    QueueTimeout,
    QueueUnavailable,
    ServiceHealth,
)
from rpc.answers.error_info import read_error_infos
from rpc.answers.fields import IDENTIFIER

TRIES_MAX = 4
"""Four tries, with waits of up to 0.2, 0.4 and 0.8 s, bridge the restart of a replica. The pass deals with
longer outages."""
RETRY_WAIT_SECONDS = 0.2
"""Upper bound of the first random wait; the bound doubles with each retry."""
HEALTH_SECONDS_MAX = 5.0
"""Deadline of a health check, which reads nothing. It is as long as one attempt to connect may take."""
JOBS_PER_DEADLINE = 100_000
"""A list has a deadline for each page, but the counts come in one call: it may take one deadline for so many
jobs. RQ, the slowest source, counts them in 4 s."""
DEADLINES_PER_COUNT_MAX = 10.0
"""A million jobs: 100 s, less than half of a pass."""
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
"""Our own server keeps its pages below gRPC's default of 4 MiB; others may not."""
CONNECT_MS_MAX = 5_000
"""Limits an attempt to connect; gRPC's default of 20 s is longer than a call may take."""
RECONNECT_MS_MIN = 100
"""By default gRPC reconnects only after 1 s, so the retries above would fail without a connection."""

PROBLEM_CHARACTERS_MAX = 200
"""The contract's limit."""

_UNAVAILABLE = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,  # by a server that is shutting down
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
"""A retry may succeed. After DEADLINE_EXCEEDED no time is left for one."""
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


def count_seconds_max(jobs: int, call_seconds_max: float) -> float:
    """Return how long the counts of a batch with so many jobs may take."""
    deadlines = min(max(1.0, jobs / JOBS_PER_DEADLINE), DEADLINES_PER_COUNT_MAX)
    return call_seconds_max * deadlines


class JobStatusClient:
    """A JobQueue over gRPC.

    Args:
        channel: A channel to the JobStatusService; the caller closes it.
        call_seconds_max: The deadline of a call, including its retries, in seconds.
        token: The bearer token to send; none if empty.

    """

    def __init__(self, channel: grpc.aio.Channel, *, call_seconds_max: float, token: str = "") -> None:
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._stub = job_status_pb2_grpc.JobStatusServiceStub(channel)
        self._check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
        self._call_seconds_max = call_seconds_max

    async def batch_counts(self, batch_id: str, jobs: int = 0) -> QueueCounts:
        """Return the counts of a batch that has about so many jobs; raises QueueError."""
        request = job_status_pb2.GetBatchStatusRequest(batch_id=batch_id)
        seconds = count_seconds_max(jobs, self._call_seconds_max)
        return to_counts(await self._call(self._stub.GetBatchStatus, request, seconds))

    async def job_page(self, batch_id: str, page_token: str, size: int) -> JobPage:
        """Return a page of jobs; raises QueueError."""
        request = job_status_pb2.ListJobStatusesRequest(
            batch_id=batch_id, page_size=size, page_token=page_token
        )
        try:
            answer = await self._call(self._stub.ListJobStatuses, request, self._call_seconds_max)
        except _Unimplemented as error:
            raise JobsNotListed("the queue keeps only counts") from error
        return JobPage(tuple(to_job(status) for status in answer.job_statuses), answer.next_page_token)

    async def check_health(self) -> ServiceHealth:
        """Ask the service for its health."""
        request = health_pb2.HealthCheckRequest()
        try:
            answer = await self._check(request, timeout=HEALTH_SECONDS_MAX, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            is_silent = error.code() in _UNAVAILABLE or error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            return ServiceHealth.NOT_SERVING if is_silent else ServiceHealth.UNKNOWN
        if answer is None:  # bytes that cannot be decoded
            return ServiceHealth.UNKNOWN
        is_serving = answer.status == health_pb2.HealthCheckResponse.SERVING
        return ServiceHealth.SERVING if is_serving else ServiceHealth.NOT_SERVING

    async def _call(
        self, method: Callable[..., Awaitable[Answer]], request: Message, seconds_max: float
    ) -> Answer:
        """Return the answer; while the service is unavailable, try again until the deadline."""
        clock = asyncio.get_running_loop().time
        end = clock() + seconds_max

        async def once() -> Answer | None:
            return await method(request, timeout=end - clock(), metadata=self._metadata)

        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_unavailable),
            wait=wait_random_exponential(multiplier=RETRY_WAIT_SECONDS),
            stop=stop_after_attempt(TRIES_MAX) | stop_before_delay(seconds_max),
            reraise=True,
        )
        try:
            answer: Answer | None = await retrying(once)
        except grpc.aio.AioRpcError as error:
            raise _translated(error, seconds_max) from error
        if answer is None:  # what grpc.aio returns for bytes that it cannot decode
            raise QueueContradiction("the job-status service's answer cannot be decoded")
        return answer


class _Unimplemented(QueueFault):
    """The queue's service does not have this call."""


_ERRORS: dict[grpc.StatusCode, tuple[type[QueueError], str]] = {
    grpc.StatusCode.NOT_FOUND: (QueueBatchUnknown, "the queue does not know the batch"),
    grpc.StatusCode.FAILED_PRECONDITION: (
        QueueContradiction,
        "the job-status service found contradictory data in the queue",
    ),
    grpc.StatusCode.UNIMPLEMENTED: (_Unimplemented, "the job-status service does not have this call"),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        QueueTimeout,
        "the job-status service did not answer within {seconds} s",
    ),
    **dict.fromkeys(
        (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED),
        (
            QueueAccessDenied,
            (
                "the job-status service denies access ({code});"
                " check RECONCILER_JOB_STATUS_TOKEN_FILE and the token's role"
            ),
        ),
    ),
    **dict.fromkeys(_UNAVAILABLE, (QueueUnavailable, "the job-status service does not answer ({code})")),
}
"""What the status codes mean; any other code is a fault of the service."""


def _translated(error: grpc.aio.AioRpcError, seconds_max: float) -> QueueError:
    """Return our error for that of a call; the server's own text may hold secrets and is not repeated."""
    code = error.code()
    kind, text = _ERRORS.get(code, (QueueFault, "the job-status service answers {code}"))
    problem = _problem(error) if kind is QueueContradiction else ""
    return kind(text.format(code=code.name, seconds=f"{seconds_max:g}") + (problem and f": {problem}"))


def _is_unavailable(error: BaseException) -> bool:
    return isinstance(error, grpc.aio.AioRpcError) and error.code() in _UNAVAILABLE


def _problem(error: grpc.aio.AioRpcError) -> str:
    """Return the `problem` that the contract promises with a contradiction; empty if there is none."""
    problems = (info.metadata["problem"] for info in read_error_infos(error) if "problem" in info.metadata)
    return to_problem(next(problems, ""))


def to_problem(text: str) -> str:
    """Return a problem as one printable line of the permitted length."""
    return "".join(one if one.isprintable() else " " for one in text[:PROBLEM_CHARACTERS_MAX])


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
    name = status.display_name[:JOB_NAME_CHARACTERS_MAX]
    if status.problem:
        problem = to_problem(status.problem)
        return QueueJob(job_id, None, attempt or 1, display_name=name, problem=problem)
    if outcome in _WITHOUT_ERROR:
        return QueueJob(job_id, outcome, attempt or 1, display_name=name)
    return QueueJob(
        job_id,
        outcome,
        attempt or 1,
        status.error_type[:ERROR_TYPE_CHARACTERS_MAX],
        status.error_message[:ERROR_MESSAGE_CHARACTERS_MAX],
        name,
    )
