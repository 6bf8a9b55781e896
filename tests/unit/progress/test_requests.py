"""The bounds of the requests of ProgressService."""

import pytest
from google.protobuf import duration_pb2

from batches.batch import LABEL_KEY_CHARACTERS_MAX, LABEL_VALUE_CHARACTERS_MAX
from batches.result import JobResult
from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.refusal import Refusal
from services.progress import requests, watch_requests


def refused_fields(message: pb.CreateBatchRequest) -> list[str]:
    """Return the invalid fields of a creation."""
    try:
        requests.to_new_batch(message)
    except Refusal as refusal:
        return [violation.field for violation in refusal.violations]
    return []


@pytest.mark.parametrize("key", ["a", "team", "a.b_c/d-1", "k" * LABEL_KEY_CHARACTERS_MAX])
def test_label_with_a_valid_key_is_accepted(key: str) -> None:
    assert refused_fields(pb.CreateBatchRequest(batch_id="b", labels={key: "v"})) == []


@pytest.mark.parametrize("key", ["", "a b", "a=", "a\n", "ä", "k" * (LABEL_KEY_CHARACTERS_MAX + 1)])
def test_label_with_an_invalid_key_is_refused(key: str) -> None:
    """The key is refused even if it begins with valid characters."""
    assert refused_fields(pb.CreateBatchRequest(batch_id="b", labels={key: "v"})) == ["labels"]


def test_value_of_a_label_has_a_length_limit() -> None:
    longest = "€" * LABEL_VALUE_CHARACTERS_MAX
    assert refused_fields(pb.CreateBatchRequest(batch_id="b", labels={"a": longest})) == []
    assert refused_fields(pb.CreateBatchRequest(batch_id="b", labels={"a": longest + "x"})) == ["labels"]


def test_number_of_labels_has_a_limit() -> None:
    labels = {f"k{number}": "" for number in range(requests.LABELS_MAX)}
    assert refused_fields(pb.CreateBatchRequest(batch_id="b", labels=labels)) == []
    assert refused_fields(pb.CreateBatchRequest(batch_id="b", labels=labels | {"more": ""})) == ["labels"]


def test_new_batch_is_sealed_unless_the_request_says_otherwise() -> None:
    assert requests.to_new_batch(pb.CreateBatchRequest(batch_id="b")).sealed
    assert not requests.to_new_batch(pb.CreateBatchRequest(batch_id="b", sealed=False)).sealed


@pytest.mark.parametrize("if_ended", [pb.IF_ENDED_ERROR, pb.IF_ENDED_REPLACE])
def test_if_ended_needs_a_request_id(if_ended: pb.IfEnded.ValueType) -> None:
    """Otherwise a retry after a lost answer would delete the results of its own batch."""
    message = pb.CreateBatchRequest(batch_id="b", if_ended=if_ended)
    assert refused_fields(message) == ["request_id"]
    message.request_id = "r"
    assert refused_fields(message) == []
    assert int(requests.to_new_batch(message).if_ended) == int(if_ended)


def test_request_id_of_a_creation_is_an_identifier() -> None:
    assert refused_fields(pb.CreateBatchRequest(batch_id="b", request_id="a b")) == ["request_id"]
    assert requests.to_new_batch(pb.CreateBatchRequest(batch_id="b")).request_id is None


def test_unknown_if_ended_is_refused() -> None:
    """A later version may know it; this one must not ignore it."""
    message = pb.CreateBatchRequest(batch_id="b", request_id="r")
    message.MergeFromString(b"\x38\x07")  # field 7, if_ended, is 7
    assert refused_fields(message) == ["if_ended"]


@pytest.mark.parametrize(
    ("limit", "refused"),
    [
        (pb.FailureLimit(), ["failure_limit"]),
        (pb.FailureLimit(jobs=0), []),
        (pb.FailureLimit(jobs=1_000_000_000), []),
        (pb.FailureLimit(jobs=-1), ["failure_limit.jobs"]),
        (pb.FailureLimit(jobs=1_000_000_001), ["failure_limit.jobs"]),
        (pb.FailureLimit(percent=99), []),
        (pb.FailureLimit(percent=100), ["failure_limit.percent"]),
        (pb.FailureLimit(percent=-1), ["failure_limit.percent"]),
    ],
)
def test_limit_of_failures_has_its_bounds(limit: pb.FailureLimit, refused: list[str]) -> None:
    """A message without a limit is a mistake of a program that sets it."""
    assert refused_fields(pb.CreateBatchRequest(batch_id="b", failure_limit=limit)) == refused


def test_display_name_of_a_job_is_cut() -> None:
    """A report is never refused for a text that is only for people."""
    message = pb.ReportJobResultRequest(
        batch_id="b", job_id="j", outcome=pb.JOB_OUTCOME_SUCCEEDED, display_name="é" * 300
    )
    result = requests.to_result(message)
    assert isinstance(result, JobResult)
    assert result.display_name == "é" * 200


def test_generated_id_has_the_prefix_of_the_caller() -> None:
    """It differs each time."""
    first, second = (requests.to_new_batch(pb.CreateBatchRequest(), "mine-").batch_id for _ in range(2))
    assert first.startswith("mine-")
    assert second.startswith("mine-")
    assert first != second


@pytest.mark.parametrize(("seconds", "nanos", "expected"), [(0, 0, 0.0), (0, 250_000_000, 0.25), (60, 0, 60)])
def test_interval_of_a_watch_has_fractions_of_a_second(seconds: int, nanos: int, expected: float) -> None:
    interval = duration_pb2.Duration(seconds=seconds, nanos=nanos)
    watch = watch_requests.to_watch(pb.WatchBatchRequest(batch_id="b", min_interval=interval))
    assert watch.min_interval_seconds == expected


def test_interval_beyond_the_limit_is_refused() -> None:
    interval = duration_pb2.Duration(seconds=60, nanos=1)
    with pytest.raises(Refusal):
        watch_requests.to_watch(pb.WatchBatchRequest(batch_id="b", min_interval=interval))


def test_report_without_an_attempt_is_the_first_attempt() -> None:
    message = pb.ReportJobResultRequest(batch_id="b", job_id="j", outcome=pb.JOB_OUTCOME_SUCCEEDED)
    result = requests.to_result(message)
    assert not isinstance(result, Refusal)
    assert result.attempt == 1
