"""Fault 12: strange messages and random bytes to every method."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError

from batches.result import JobOutcome
from batchprogress.v1 import job_status_pb2, operations_pb2
from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.page_tokens import encode_token
from tests.faults import hostile
from tests.faults.answered_codes import LEAKS, documented
from tests.faults.conftest import Target, Verdict
from tests.faults.footprint import Footprint
from tests.faults.job_status_process import job_status_process
from tests.faults.ledger import Job, Ledger
from tests.faults.workload import report_of
from tests.support.answers import answered
from tests.support.progress import Stub, progress_process, stub_of

CALLERS = 64
"""Concurrent messages, enough that groups of results form."""
CALL_SECONDS_MAX = 20.0
"""The deadline of calls."""
WATCH_SECONDS_MAX = 0.25
"""After this, the client ends a watch, since an unchanged batch sends nothing."""
KNOWN = [f"known-{number}" for number in range(8)]
"""Existing batches, named by most messages, which would otherwise fail at the first check."""
QUIET = "quiet"
"""A batch that no message names."""
TAKEN = "taken"
"""A job with the highest attempt number, so that any other report of it is a conflict or stale."""
ATTEMPT_MAX = 2**31 - 1
WORDS = {"batch_id": KNOWN, "job_id": [TAKEN, *(f"job-{number}" for number in range(300))], "key": ["team"]}
HAND_MADE_KEYS: tuple[Any, ...] = (-1, 2**63, 10**80, True, 1.5, None, "", "\0", "é", "\ud800", "x" * 400)
"""Keys at which no page ends; anyone can make a page token, since they are not secret."""
CODES: dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}

REST_BYTES = 8 * 2**20
"""The growth after half of the messages by fragmentation, since thousands have up to 70 KB. At full size, a
leak of 100 bytes for each of 100,000 messages would be more."""
REST_DESCRIPTORS = 8
"""Connections to the database that the pool may have opened meanwhile."""

METHODS: tuple[MethodDescriptor, ...] = tuple(
    method
    for service in (
        pb.DESCRIPTOR.services_by_name["ProgressService"],
        operations_pb2.DESCRIPTOR.services_by_name["OperationsService"],
        job_status_pb2.DESCRIPTOR.services_by_name["JobStatusService"],
    )
    for method in service.methods
)
JOB_STATUS = job_status_pb2.DESCRIPTOR.services_by_name["JobStatusService"]


def test_the_contract_documents_answers() -> None:
    """The codes are read from the comments of the contract."""
    assert "FAILED_PRECONDITION / BATCH_SEALED" in documented("AddJobs")
    assert "INVALID_ARGUMENT / MALFORMED_MESSAGE" in documented("GetBatch")
    assert "UNIMPLEMENTED / JOBS_NOT_LISTED" in documented("ListJobStatuses")
    assert "NOT_FOUND / BATCH_NOT_FOUND" not in documented("CreateBatch")


@dataclass(slots=True)
class Hostility:
    """Sends strange messages, checks each answer, and keeps a ledger of the valid reports."""

    order: random.Random
    ledger: Ledger
    maker: hostile.MessageMaker = field(init=False)
    wrong: list[str] = field(default_factory=list)
    sent: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        """Make page tokens that look valid."""
        calls: dict[str, list[object]] = {
            "ListBatches": [[state, {}] for state in range(4)],
            "ListJobResults": [[one, outcome] for one in KNOWN for outcome in range(4)],
            "ListRepairs": [*KNOWN],
            "ListPendingJobs": [*KNOWN],
            "ListJobStatuses": [*KNOWN],
            "ListPasses": [None],
            "ListDeliveries": [["", state] for state in range(4)],
        }
        tokens = [
            encode_token(call, filters, key)
            for call, all_filters in calls.items()
            for filters in all_filters
            for key in HAND_MADE_KEYS
        ]
        self.maker = hostile.MessageMaker(self.order, {**WORDS, "page_token": ["", *tokens]})

    async def send_all(self, messages: int, channels: dict[str, grpc.aio.Channel]) -> None:
        """Send messages, some concurrently."""
        numbers = iter(range(messages))

        async def call() -> None:
            for _ in numbers:
                method = self.order.choice(METHODS)
                await self._send(method, self._raw(method), channels[method.containing_service.name])

        await asyncio.gather(*(call() for _ in range(CALLERS)))

    def _raw(self, method: MethodDescriptor) -> bytes:
        """Return bytes for a method; half are valid messages, whose reports are noted."""
        while True:
            raw = self.maker.make(method.input_type).SerializeToString()
            if self.order.random() < 0.5:
                raw = hostile.mutated(self.order, raw)
            if not deletes_known(method.name, raw) and self._note(hostile.reports_in(method.name, raw)):
                return raw

    def _note(self, reports: list[tuple[Job, JobOutcome]]) -> bool:
        """Note reports before they are sent; return False if one contradicts another."""
        outcomes = {**dict(reports), **self.ledger.attempted}
        if any(outcomes[job] != outcome for job, outcome in reports if job[1] != TAKEN):
            return False
        if len({job for job, _ in reports}) < len({*reports}):
            return False
        for job, outcome in reports:
            self.ledger.attempt(job, outcome)
        return True

    async def _send(self, method: MethodDescriptor, raw: bytes, channel: grpc.aio.Channel) -> None:
        self.sent += 1
        path = f"/{method.containing_service.full_name}/{method.name}"
        try:
            if method.server_streaming:
                stream: Any = channel.unary_stream(path)
                async for _ in stream(raw, timeout=WATCH_SECONDS_MAX):
                    pass
            else:
                call: Any = channel.unary_unary(path)
                self._take(method.name, raw, await call(raw, timeout=CALL_SECONDS_MAX))
        except grpc.aio.AioRpcError as error:
            if not (method.server_streaming and error.code() == grpc.StatusCode.DEADLINE_EXCEEDED):
                self._check(method.name, raw, error)

    def _take(self, method: str, raw: bytes, answer: bytes) -> None:
        """Note acknowledged reports, and check the errors in an answer."""
        if method == "ReportJobResult":
            (report,) = hostile.reports_in(method, raw)
            disposition = pb.ReportJobResultResponse.FromString(answer).disposition
            self.ledger.acknowledge(report[0], first=disposition == pb.DISPOSITION_RECORDED)
        if method == "ReportJobResults":
            request, response = (
                pb.ReportJobResultsRequest.FromString(raw),
                pb.ReportJobResultsResponse.FromString(answer),
            )
            for one, result in zip(request.results, response.results, strict=True):
                if result.HasField("error"):
                    answered_with = f"{CODES[result.error.code]} / {result.error.reason}"
                    self._allow("ReportJobResult", raw, answered_with, result.error.SerializeToString())
                else:
                    first = result.disposition == pb.DISPOSITION_RECORDED
                    self.ledger.acknowledge((one.batch_id, one.job_id), first=first)

    def _check(self, method: str, raw: bytes, error: grpc.aio.AioRpcError) -> None:
        self.refused += 1
        try:
            answer = answered(error)
        except (AssertionError, KeyError, ValueError):
            self.wrong.append(f"{method} {raw[:200]!r}: not one ErrorInfo: {error.code()} {error.details()}")
            return
        if answer.domain != "batchprogress":
            self.wrong.append(f"{method} {raw[:200]!r}: domain {answer.domain}")
        told = repr((error.details(), error.trailing_metadata())).encode()
        self._allow(method, raw, f"{answer.code.name} / {answer.reason}", told)

    def _allow(self, method: str, raw: bytes, answer: str, told: bytes) -> None:
        if answer not in documented(method):
            self.wrong.append(f"{method} {raw[:200]!r}: {answer} is not documented")
        self.wrong += [f"{method} {raw[:200]!r}: tells {leak}" for leak in LEAKS if leak.encode() in told]


def deletes_known(method: str, raw: bytes) -> bool:
    """Return whether any bytes ask to delete or to replace an existing batch: its results would be gone."""
    with suppress(DecodeError):
        if method == "DeleteBatch":
            return pb.DeleteBatchRequest.FromString(raw).batch_id in KNOWN
        request = pb.CreateBatchRequest.FromString(raw if method == "CreateBatch" else b"")
        return request.batch_id in KNOWN and request.if_ended == pb.IF_ENDED_REPLACE
    return False


async def prepare(stub: Stub, ledger: Ledger) -> None:
    """Create the existing batches, each with the job of the highest attempt."""
    for number, batch_id in enumerate((*KNOWN, QUIET)):
        await stub.CreateBatch(
            pb.CreateBatchRequest(batch_id=batch_id, total_jobs=25, sealed=number % 2 == 0)
        )
        await report(stub, ledger, (batch_id, TAKEN), JobOutcome.FAILED, attempt=ATTEMPT_MAX)


async def report(
    stub: Stub, ledger: Ledger, job: Job, outcome: JobOutcome = JobOutcome.SUCCEEDED, *, attempt: int = 1
) -> None:
    """Make a valid call that is noted in the ledger."""
    request = report_of(job, outcome)
    request.attempt = attempt
    ledger.attempt(job, outcome)
    answer = await stub.ReportJobResult(request, timeout=CALL_SECONDS_MAX)
    ledger.acknowledge(job, first=answer.disposition == pb.DISPOSITION_RECORDED)


async def test_any_message_gets_a_documented_answer(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """Each answer has a documented code and one ErrorInfo, without exception text; none is INTERNAL."""
    messages = 200_000 if full else 3_000
    ledger = Ledger()
    hostility = Hostility(order, ledger)
    async with (
        progress_process(target.url) as progress,
        job_status_process(target.url, KNOWN[0]) as job_status,
        grpc.aio.insecure_channel(progress.target) as to_progress,
        grpc.aio.insecure_channel(job_status.target) as to_job_status,
    ):
        await prepare(stub_of(to_progress), ledger)
        channels = {
            "ProgressService": to_progress,
            "OperationsService": to_progress,
            JOB_STATUS.name: to_job_status,
        }
        await hostility.send_all(messages // 2, channels)  # caches are filled now
        before = [Footprint.of(server.pid) for server in (progress, job_status)]
        await hostility.send_all(messages // 2, channels)
        after = [Footprint.of(server.pid) for server in (progress, job_status)]
        await report(stub_of(to_progress), ledger, (QUIET, "afterwards"))
        logs = progress.log + job_status.log
    print(f"at half: {before}, at the end: {after}")
    assert hostility.wrong[:10] == []
    for half, end in zip(before, after, strict=True):
        assert end.resident_bytes - half.resident_bytes <= REST_BYTES
        assert end.descriptors - half.descriptors <= REST_DESCRIPTORS
    assert hostility.refused > messages // 10
    assert len(ledger.acknowledged) > len(KNOWN)
    assert "unexpected error" not in logs
    await verdict("hostile messages", hostility.sent, ledger)
