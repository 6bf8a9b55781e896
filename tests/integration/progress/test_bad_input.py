"""Invalid input is refused with its code, its reason and the invalid fields, and nothing is stored."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf import duration_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.request_checks import MESSAGE_BYTES_MAX
from tests.support.answers import Answered, answered
from tests.support.progress import Served

BAD_IDENTIFIERS = {
    "empty": "",
    "129 characters": "x" * 129,
    "a space": "a b",
    "a NUL": "a\0b",
    "an emoji": "job🚀",
    "a line break": "a\n",
}
RESULT = pb.ReportJobResultRequest(batch_id="b", job_id="j", outcome=pb.JOB_OUTCOME_SUCCEEDED)
UNKNOWN_ENUM: Any = 99


def report(**fields: Any) -> pb.ReportJobResultRequest:
    """Return a valid report with some fields replaced."""
    request = pb.ReportJobResultRequest()
    request.CopyFrom(RESULT)
    request.MergeFrom(pb.ReportJobResultRequest(**fields))
    for name, value in fields.items():
        if not value:
            request.ClearField(name)  # type: ignore[arg-type]  # a field of the table below
    return request


BAD_REQUESTS: dict[str, tuple[str, Any, tuple[str, ...]]] = {
    **{
        f"batch_id: {name}": ("ReportJobResult", report(batch_id=value), ("batch_id",))
        for name, value in BAD_IDENTIFIERS.items()
    },
    **{
        f"job_id: {name}": ("ReportJobResult", report(job_id=value), ("job_id",))
        for name, value in BAD_IDENTIFIERS.items()
    },
    **{
        f"request_id: {name}": (
            "AddJobs",
            pb.AddJobsRequest(batch_id="b", additional_jobs=1, request_id=value),
            ("request_id",),
        )
        for name, value in BAD_IDENTIFIERS.items()
    },
    "a created id with a space": (
        "CreateBatch",
        pb.CreateBatchRequest(batch_id="a b", total_jobs=1),
        ("batch_id",),
    ),
    "a negative total": ("CreateBatch", pb.CreateBatchRequest(batch_id="x", total_jobs=-1), ("total_jobs",)),
    "a total too large": (
        "CreateBatch",
        pb.CreateBatchRequest(batch_id="x", total_jobs=10**12),
        ("total_jobs",),
    ),
    "a long name": (
        "CreateBatch",
        pb.CreateBatchRequest(batch_id="x", display_name="n" * 201),
        ("display_name",),
    ),
    "a bad label key": ("CreateBatch", pb.CreateBatchRequest(batch_id="x", labels={"ä": "1"}), ("labels",)),
    "too many labels": (
        "CreateBatch",
        pb.CreateBatchRequest(batch_id="x", labels={f"k{number}": "" for number in range(33)}),
        ("labels",),
    ),
    "zero jobs to add": (
        "AddJobs",
        pb.AddJobsRequest(batch_id="b", additional_jobs=0, request_id="r"),
        ("additional_jobs",),
    ),
    "negative jobs to add": (
        "AddJobs",
        pb.AddJobsRequest(batch_id="b", additional_jobs=-5, request_id="r"),
        ("additional_jobs",),
    ),
    "no outcome": ("ReportJobResult", report(outcome=pb.JOB_OUTCOME_UNSPECIFIED), ("outcome",)),
    "an unknown outcome": ("ReportJobResult", report(outcome=UNKNOWN_ENUM), ("outcome",)),
    "a negative attempt": ("ReportJobResult", report(attempt=-1), ("attempt",)),
    "everything at once": (
        "ReportJobResult",
        pb.ReportJobResultRequest(),
        ("outcome", "batch_id", "job_id"),
    ),
    "no results": ("ReportJobResults", pb.ReportJobResultsRequest(), ("results",)),
    "10,001 results": (
        "ReportJobResults",
        pb.ReportJobResultsRequest(results=[RESULT] * 10_001),
        ("results",),
    ),
    "an unknown state": ("ListBatches", pb.ListBatchesRequest(state=UNKNOWN_ENUM), ("state",)),
    "a negative page size": ("ListBatches", pb.ListBatchesRequest(page_size=-1), ("page_size",)),
    "a page token that is not one": ("ListBatches", pb.ListBatchesRequest(page_token="!"), ("page_token",)),
    "a prefix with a space": (
        "ListBatches",
        pb.ListBatchesRequest(batch_id_prefix="a b"),
        ("batch_id_prefix",),
    ),
    "a time that does not exist": (
        "ListBatches",
        pb.ListBatchesRequest(created_before=Timestamp(seconds=2**60)),
        ("created_before",),
    ),
    "an unknown filter": (
        "ListJobResults",
        pb.ListJobResultsRequest(batch_id="b", outcome=UNKNOWN_ENUM),
        ("outcome",),
    ),
    "a negative revision": (
        "WatchBatch",
        pb.WatchBatchRequest(batch_id="b", after_revision=-1),
        ("after_revision",),
    ),
    "a long interval": (
        "WatchBatch",
        pb.WatchBatchRequest(batch_id="b", min_interval=duration_pb2.Duration(seconds=61)),
        ("min_interval",),
    ),
    "rare heartbeats": (
        "WatchBatch",
        pb.WatchBatchRequest(batch_id="b", heartbeat_interval=duration_pb2.Duration(seconds=60, nanos=1)),
        ("heartbeat_interval",),
    ),
    "many heartbeats": (
        "WatchBatch",
        pb.WatchBatchRequest(batch_id="b", heartbeat_interval=duration_pb2.Duration(nanos=999_999_999)),
        ("heartbeat_interval",),
    ),
    "heartbeats without an interval": (
        "WatchBatch",
        pb.WatchBatchRequest(batch_id="b", heartbeat_interval=duration_pb2.Duration()),
        ("heartbeat_interval",),
    ),
}


async def refused(call: Any) -> Answered:
    """Return the refusal of a call."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (call.read() if hasattr(call, "read") else call)
    return answered(caught.value)


def raw(progress: Served, method: str, message: bytes) -> Any:
    """Call a method with any bytes."""
    path = f"/batchprogress.v1.ProgressService/{method}"
    channel: Any = progress.channel
    return (channel.unary_stream if method == "WatchBatch" else channel.unary_unary)(path)(message)


@pytest.mark.parametrize(("method", "request_", "fields"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
async def test_invalid_field_is_named(
    progress: Served, method: str, request_: object, fields: tuple[str, ...]
) -> None:
    """It is INVALID_ARGUMENT / INVALID_FIELD with the name of the field, and changes nothing."""
    before = await progress.create("b", 5, sealed=False)
    call: Callable[[object], Any] = getattr(progress.stub, method)
    answer = await refused(call(request_))
    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert answer.fields == fields
    assert answer.domain == "batchprogress"
    listed = (await progress.stub.ListBatches(pb.ListBatchesRequest())).batches
    assert [(batch.batch_id, batch.revision) for batch in listed] == [("b", before.revision)]


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("GetBatch", pb.GetBatchRequest(batch_id="x")),
        ("SealBatch", pb.SealBatchRequest(batch_id="x")),
        ("CancelBatch", pb.CancelBatchRequest(batch_id="x")),
        ("AddJobs", pb.AddJobsRequest(batch_id="x", additional_jobs=1, request_id="r")),
        ("ListJobResults", pb.ListJobResultsRequest(batch_id="x")),
        ("ListFailureGroups", pb.ListFailureGroupsRequest(batch_id="x")),
        ("ListRepairs", pb.ListRepairsRequest(batch_id="x")),
        ("ListPendingJobs", pb.ListPendingJobsRequest(batch_id="x")),
        ("GetBatchHistory", pb.GetBatchHistoryRequest(batch_id="x")),
        ("WatchBatch", pb.WatchBatchRequest(batch_id="x")),
    ],
)
async def test_unknown_batch_is_not_found(progress: Served, method: str, request_: object) -> None:
    """Every method about a batch answers NOT_FOUND / BATCH_NOT_FOUND."""
    answer = await refused(getattr(progress.stub, method)(request_))
    assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "BATCH_NOT_FOUND")


async def test_page_token_of_another_call_is_refused(progress: Served) -> None:
    """A page token is valid only for the call and the filters it came from."""
    for name in ("b1", "b2"):
        await progress.create(name, 1)
    token = (await progress.stub.ListBatches(pb.ListBatchesRequest(page_size=1))).next_page_token
    for request in (
        pb.ListBatchesRequest(page_token=token, state=pb.BATCH_STATE_PROCESSING),
        pb.ListBatchesRequest(page_token=token, labels={"a": "b"}),
        pb.ListBatchesRequest(page_token=token, stalled=True),
        pb.ListBatchesRequest(page_token=token[:-1]),
    ):
        assert (await refused(progress.stub.ListBatches(request))).fields == ("page_token",)
    other = pb.ListJobResultsRequest(batch_id="b1", page_token=token)
    assert (await refused(progress.stub.ListJobResults(other))).fields == ("page_token",)


@pytest.mark.parametrize("method", ["ReportJobResult", "WatchBatch"])
async def test_malformed_bytes_are_refused(progress: Served, method: str) -> None:
    """They are INVALID_ARGUMENT / MALFORMED_MESSAGE."""
    answer = await refused(raw(progress, method, b"\xff\xff\xff"))
    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")


async def test_oversized_message_is_refused(progress: Served) -> None:
    """A message above 4 MiB is INVALID_ARGUMENT / MESSAGE_TOO_LARGE, which a worker does not retry."""
    message = b"x" * (MESSAGE_BYTES_MAX + 256 * 1024)
    answer = await refused(raw(progress, "ReportJobResult", message))
    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_TOO_LARGE")


async def test_unknown_method_is_unimplemented(progress: Served) -> None:
    """The answer has an ErrorInfo, like every error."""
    answer = await refused(raw(progress, "Nothing", b""))
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNIMPLEMENTED, "UNKNOWN_METHOD")
