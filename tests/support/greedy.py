"""Valid calls that cost a server much: what one caller may send to slow down all others.

The bytes are made once, before the load starts, and the answers are not decoded: the attacker's client takes
little of the machine.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc

from batchprogress.v1 import progress_pb2 as pb

SERVICE = f"/{pb.DESCRIPTOR.services_by_name['ProgressService'].full_name}"
BATCH = "greedy"
RESULTS = 10_000
"""The most that a call may have."""
VARIANTS = 4
"""Different calls that are prepared of each kind, sent in turn."""
CALLERS = 4
"""Calls that are under way at the same time, on one connection."""
CALL_SECONDS_MAX = 60.0
REFUSED_PAUSE_SECONDS = 0.05
"""After a refused call; shorter than any RetryInfo, as befits a hostile caller."""
LABELS = 330_000
"""About as many as fit into a message."""
LABELS_OF_BATCH = {f"{key:02}" + "k" * 61: "\u4e2d" * 200 for key in range(32)}
"""As many and as large as a batch may have."""
BATCHES = 250
"""Batches with these labels: their page is larger than a message."""

Options = list[tuple[str, int]]
RECEIVE: Options = [("grpc.max_receive_message_length", 64 * 2**20)]


@dataclass(frozen=True, slots=True)
class Attack:
    """A kind of calls."""

    name: str
    method: str
    make: Callable[[int], bytes]
    """Returns the bytes of a call, by its number."""
    variants: int = VARIANTS


def different_errors(number: int) -> bytes:
    """Return a call with a different long error in each result."""
    return _report(
        pb.ReportJobResultRequest(
            batch_id=BATCH,
            job_id=f"error-{number}-{one}",
            outcome=pb.JOB_OUTCOME_FAILED,
            error_type=f"Error{one}",
            error_message=f"a{one} host-{one} '{one}' 10.0.{one % 250}.7:5432 " + "word 17 " * 35,
        )
        for one in range(RESULTS)
    )


def invalid_results(_number: int) -> bytes:
    """Return a call whose results have every field wrong."""
    return _report(
        pb.ReportJobResultRequest(batch_id=" ", job_id=" ", outcome=pb.JOB_OUTCOME_UNSPECIFIED, attempt=-1)
        for _ in range(RESULTS)
    )


def foreign_results(number: int) -> bytes:
    """Return a call whose results belong to batches that do not exist."""
    return _report(
        pb.ReportJobResultRequest(
            batch_id=f"none-{number}-{one}", job_id="j", outcome=pb.JOB_OUTCOME_SUCCEEDED
        )
        for one in range(RESULTS)
    )


def duplicates(_number: int) -> bytes:
    """Return a call with the same results each time, in no order."""
    return _report(
        pb.ReportJobResultRequest(
            batch_id=BATCH, job_id=f"same-{one * 7_919 % RESULTS}", outcome=pb.JOB_OUTCOME_SUCCEEDED
        )
        for one in range(RESULTS)
    )


def one_job(_number: int) -> bytes:
    """Return a call that reports one job again and again."""
    return _report(
        pb.ReportJobResultRequest(batch_id=BATCH, job_id="one", outcome=pb.JOB_OUTCOME_SUCCEEDED)
        for _ in range(RESULTS)
    )


def many_labels(_number: int) -> bytes:
    """Return a call of ListBatches with as many labels as fit into a message."""
    return pb.ListBatchesRequest(labels={f"{number:x}": "" for number in range(LABELS)}).SerializeToString()


def largest_filter(_number: int) -> bytes:
    """Return a call of ListBatches that looks for the largest labels."""
    return pb.ListBatchesRequest(page_size=1_000, labels=LABELS_OF_BATCH).SerializeToString()


def large_page(_number: int) -> bytes:
    """Return a call for the largest page of batches."""
    return pb.ListBatchesRequest(page_size=1_000).SerializeToString()


REPORTS = "ReportJobResults"
ATTACKS: Sequence[Attack] = (
    Attack("10,000 different errors a call", REPORTS, different_errors, variants=8),
    Attack("10,000 invalid results a call", REPORTS, invalid_results, variants=1),
    Attack("10,000 results of unknown batches a call", REPORTS, foreign_results, variants=1),
    Attack("10,000 duplicates a call", REPORTS, duplicates, variants=1),
    Attack("one job 10,000 times a call", REPORTS, one_job, variants=1),
    Attack("330,000 labels a ListBatches", "ListBatches", many_labels, variants=1),
    Attack("250 batches with the largest labels, found by these", "ListBatches", largest_filter, variants=1),
    Attack("pages of 250 batches with the largest labels", "ListBatches", large_page, variants=1),
)


@dataclass(slots=True)
class Sent:
    """What an attacker has sent so far."""

    answered: int = 0
    refused: int = 0


@asynccontextmanager
async def attacked(
    target: str, attack: Attack, *, token: str = "", callers: int = CALLERS
) -> AsyncIterator[Sent]:
    """Send calls without a pause while the context is open.

    Args:
        target: host:port of the server.
        attack: the kind of calls.
        token: what the attacker sends.
        callers: calls that are under way at the same time.

    """
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    requests = itertools.cycle([attack.make(number) for number in range(attack.variants)])
    sent = Sent()
    async with grpc.aio.insecure_channel(target, options=RECEIVE) as channel:
        tasks = [
            asyncio.create_task(_send(channel, attack.method, requests, metadata, sent))
            for _ in range(callers)
        ]
        try:
            yield sent
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def create_batches(target: str, *, token: str = "") -> None:
    """Create the batch of the attacks, and batches with the largest labels."""
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    async with grpc.aio.insecure_channel(target) as channel:
        create = channel.unary_unary(f"{SERVICE}/CreateBatch")  # type: ignore[var-annotated]
        await create(
            pb.CreateBatchRequest(batch_id=BATCH, total_jobs=1_000_000_000).SerializeToString(),
            metadata=metadata,
        )
        for number in range(BATCHES):
            request = pb.CreateBatchRequest(batch_id=f"labels-{number}", labels=LABELS_OF_BATCH)
            await create(request.SerializeToString(), metadata=metadata)


async def _send(
    channel: grpc.aio.Channel,
    method: str,
    requests: Iterator[bytes],
    metadata: Sequence[tuple[str, str]],
    sent: Sent,
) -> None:
    call = channel.unary_unary(f"{SERVICE}/{method}")  # type: ignore[var-annotated]
    for request in requests:
        try:
            await call(request, metadata=metadata, timeout=CALL_SECONDS_MAX)
            sent.answered += 1
        except grpc.aio.AioRpcError:
            sent.refused += 1
            await asyncio.sleep(REFUSED_PAUSE_SECONDS)


def _report(results: Iterator[pb.ReportJobResultRequest]) -> bytes:
    return pb.ReportJobResultsRequest(results=results).SerializeToString()
