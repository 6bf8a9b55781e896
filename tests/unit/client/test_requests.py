"""The request that each call sends."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from batchprogress._calls import requests
from batchprogress._calls.batch_filter import BatchFilter
from batchprogress._calls.call_errors import Subject
from batchprogress.errors import ServerTooOld
from batchprogress.models import BatchState, JobOutcome
from batchprogress.v1 import progress_pb2 as pb

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def created(batch_id: str | None, **options: Any) -> requests.Call[Any]:
    """Return the call that creates a batch."""
    defaults = {"sealed": True, "display_name": "", "labels": None, "if_ended": "return"}
    return requests.create(batch_id, 3, **{**defaults, **options})


def request_of(call: requests.Call[Any]) -> pb.CreateBatchRequest:
    """Return the request of a creation."""
    assert isinstance(call.request, pb.CreateBatchRequest)
    return call.request


def test_an_id_that_is_not_given_is_chosen_by_the_client() -> None:
    """A call that is tried again then creates no second batch; each call chooses another id."""
    first, second = created(None), created(None)
    assert len(first.batch_id) == 36
    assert first.request == pb.CreateBatchRequest(batch_id=first.batch_id, total_jobs=3, sealed=True)
    assert first.batch_id != second.batch_id
    additions = [requests.add_jobs("b", 1, None).request for _ in range(2)]
    assert additions[0] != additions[1]


@pytest.mark.parametrize(
    ("if_ended", "number"), [("error", pb.IF_ENDED_ERROR), ("replace", pb.IF_ENDED_REPLACE)]
)
def test_each_call_that_may_replace_a_batch_has_a_request_id(
    if_ended: str, number: pb.IfEnded.ValueType
) -> None:
    """All tries of a call send the same one."""
    first, second = (request_of(created("b", if_ended=if_ended)) for _ in range(2))
    assert first.if_ended == number
    assert len(first.request_id) == 36
    assert first.request_id != second.request_id


def test_unknown_if_ended_is_refused() -> None:
    with pytest.raises(ValueError, match="'return', 'error' or 'replace', not 'delete'"):
        created("b", if_ended="delete")


@pytest.mark.parametrize(
    ("call", "method", "request_"),
    [
        (
            created("b", sealed=False, display_name="B", labels={"a": "b"}),
            "CreateBatch",
            pb.CreateBatchRequest(
                batch_id="b", total_jobs=3, sealed=False, display_name="B", labels={"a": "b"}
            ),
        ),
        (
            requests.add_jobs("b", 5, "r"),
            "AddJobs",
            pb.AddJobsRequest(batch_id="b", additional_jobs=5, request_id="r"),
        ),
        (
            requests.batches_page(BatchFilter(BatchState.CANCELLED, {"a": "b"}), 7, "t"),
            "ListBatches",
            pb.ListBatchesRequest(
                state=pb.BATCH_STATE_CANCELLED, labels={"a": "b"}, page_size=7, page_token="t"
            ),
        ),
        (requests.batches_page(BatchFilter(), 7, ""), "ListBatches", pb.ListBatchesRequest(page_size=7)),
        (
            requests.batches_page(
                BatchFilter(
                    id_prefix="i",
                    stalled=True,
                    with_failures=True,
                    created_from=NOON,
                    created_before=NOON + timedelta(seconds=1),
                ),
                7,
                "",
            ),
            "ListBatches",
            pb.ListBatchesRequest(
                page_size=7,
                batch_id_prefix="i",
                stalled=True,
                with_failures=True,
                created_from=Timestamp(seconds=int(NOON.timestamp())),
                created_before=Timestamp(seconds=int(NOON.timestamp()) + 1),
            ),
        ),
        (
            requests.results_page("b", JobOutcome.SKIPPED, "f", 7, "t"),
            "ListJobResults",
            pb.ListJobResultsRequest(
                batch_id="b", outcome=pb.JOB_OUTCOME_SKIPPED, fingerprint="f", page_size=7, page_token="t"
            ),
        ),
        (
            requests.failures_page("b", 7, "t"),
            "ListFailureGroups",
            pb.ListFailureGroupsRequest(batch_id="b", page_size=7, page_token="t"),
        ),
        (
            requests.pending_jobs("b"),
            "ListPendingJobs",
            pb.ListPendingJobsRequest(batch_id="b", page_size=1_000),
        ),
        (requests.history("b"), "GetBatchHistory", pb.GetBatchHistoryRequest(batch_id="b")),
        (
            requests.repairs_page("b", 7, "t"),
            "ListRepairs",
            pb.ListRepairsRequest(batch_id="b", page_size=7, page_token="t"),
        ),
        (
            requests.create_watch_token("b", 90.5),
            "CreateWatchToken",
            pb.CreateWatchTokenRequest(batch_id="b", ttl=Duration(seconds=90, nanos=500_000_000)),
        ),
        (
            requests.create_watch_token("b", None),
            "CreateWatchToken",
            pb.CreateWatchTokenRequest(batch_id="b"),
        ),
    ],
)
def test_every_argument_is_sent(call: requests.Call[Any], method: str, request_: Any) -> None:
    """The method and the request are those of the contract."""
    assert (call.method, call.request) == (method, request_)


@pytest.mark.parametrize(
    ("fingerprint", "error_types", "too_old"), [("f", "EE", False), ("f", "EF", True), ("", "EF", False)]
)
def test_server_that_ignores_a_fingerprint_is_too_old(
    fingerprint: str, error_types: str, *, too_old: bool
) -> None:
    """The failures of a group have one type of error."""
    call = requests.results_page("b", JobOutcome.FAILED, fingerprint, 7, "")
    response = pb.ListJobResultsResponse(
        job_results=[pb.JobResult(outcome=pb.JOB_OUTCOME_FAILED, error_type=one) for one in error_types]
    )
    page = call.read(response)
    with pytest.raises(ServerTooOld, match="upgrade the server") if too_old else nullcontext():
        if call.check is not None:
            call.check(page, Subject("server:1", "ListJobResults", "b"), 0.0)


@pytest.mark.parametrize(
    "selected",
    [
        BatchFilter(id_prefix="i"),
        BatchFilter(stalled=True),
        BatchFilter(with_failures=True),
        BatchFilter(created_from=NOON + timedelta(seconds=1)),
        BatchFilter(created_before=NOON),
    ],
)
def test_server_that_ignores_a_filter_is_too_old(selected: BatchFilter) -> None:
    call = requests.batches_page(selected, 7, "")
    time = Timestamp(seconds=int(NOON.timestamp()))
    page = call.read(
        pb.ListBatchesResponse(
            batches=[pb.Batch(batch_id="b", state=pb.BATCH_STATE_PROCESSING, create_time=time)]
        )
    )
    assert call.check is not None
    with pytest.raises(ServerTooOld, match="does not know all filters"):
        call.check(page, Subject("server:1", "ListBatches", ""), 0.0)


@pytest.mark.parametrize(
    ("token", "response", "total_size"),
    [
        ("", pb.ListBatchesResponse(), 0),
        ("", pb.ListBatchesResponse(total_size=5, next_page_token="t"), 5),
        ("", pb.ListBatchesResponse(next_page_token="t"), None),
        ("t", pb.ListBatchesResponse(), None),
    ],
)
def test_unknown_number_of_batches_is_none(
    token: str, response: pb.ListBatchesResponse, total_size: int | None
) -> None:
    """Such as the answer of a server of 0.1, and any page but the first."""
    assert requests.batches_page(BatchFilter(), 7, token).read(response).total_size == total_size


def test_filter_by_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="created_from must have a time zone"):
        BatchFilter(created_from=NOON.replace(tzinfo=None))
