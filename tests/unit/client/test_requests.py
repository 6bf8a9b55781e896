"""The request that each call sends."""

from typing import Any

import pytest

from batchprogress._calls import requests
from batchprogress.models import BatchState, JobOutcome
from batchprogress.v1 import progress_pb2 as pb


def created(batch_id: str | None, **options: Any) -> requests.Call[Any]:
    """Return the call that creates a batch."""
    return requests.create(batch_id, 3, **{"sealed": True, "display_name": "", "labels": None, **options})


def test_an_id_that_is_not_given_is_chosen_by_the_client() -> None:
    """A call that is tried again then creates no second batch; each call chooses another id."""
    first, second = created(None), created(None)
    assert len(first.batch_id) == 36
    assert first.request == pb.CreateBatchRequest(batch_id=first.batch_id, total_jobs=3, sealed=True)
    assert first.batch_id != second.batch_id
    additions = [requests.add_jobs("b", 1, None).request for _ in range(2)]
    assert additions[0] != additions[1]


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
            requests.batches_page(BatchState.CANCELLED, {"a": "b"}, 7, "t"),
            "ListBatches",
            pb.ListBatchesRequest(
                state=pb.BATCH_STATE_CANCELLED, labels={"a": "b"}, page_size=7, page_token="t"
            ),
        ),
        (requests.batches_page(None, None, 7, ""), "ListBatches", pb.ListBatchesRequest(page_size=7)),
        (
            requests.results_page("b", JobOutcome.SKIPPED, 7, "t"),
            "ListJobResults",
            pb.ListJobResultsRequest(
                batch_id="b", outcome=pb.JOB_OUTCOME_SKIPPED, page_size=7, page_token="t"
            ),
        ),
        (
            requests.repairs_page("b", 7, "t"),
            "ListRepairs",
            pb.ListRepairsRequest(batch_id="b", page_size=7, page_token="t"),
        ),
    ],
)
def test_every_argument_is_sent(call: requests.Call[Any], method: str, request_: Any) -> None:
    """The method and the request are those of the contract."""
    assert (call.method, call.request) == (method, request_)
