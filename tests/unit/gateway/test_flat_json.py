"""ProtoJSON of flat messages is the same as google.protobuf's."""

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson, Parse
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.contract.flat_json import FlatJson, flat_json
from services.gateway.contract.methods import methods_of

UNUSUAL = [
    b"",
    b"[]",
    b"null",
    b"[[1]]",
    b"{",
    b'{"unknown": 1}',
    b'{"jobId": null}',
    b'{"jobId": 1}',
    b'{"attempt": "1"}',
    b'{"attempt": true}',
    b'{"attempt": 2147483648}',
    b'{"attempt": 1.0}',
    b'{"outcome": 1}',
    b'{"outcome": "JOB_OUTCOME_NEW"}',
    b'{"jobId": "a", "jobId": "a"}',
    b'{"jobId": "a", "job_id": "a"}',
    b'{"jobId": "\\ud800"}',
    b'{"jobId": "\xff"}',
    2_000 * b"[",
]
"""JSON that is left to json_format, which reads it or says what is wrong with it."""


def converter(kind: type[Message]) -> FlatJson:
    """Return the converter of a kind of messages that has one."""
    found = flat_json(kind)
    assert found is not None
    return found


@given(
    job_id=st.text(),
    outcome=st.sampled_from([0, 1, 2, 3, 99]),
    attempt=st.integers(-(2**31), 2**31 - 1),
)
def test_a_report_is_written_and_read_as_by_protobuf(job_id: str, outcome: Any, attempt: int) -> None:
    try:
        message = pb.ReportJobResultRequest(job_id=job_id, outcome=outcome, attempt=attempt)
    except ValueError:  # a lone surrogate
        return
    written = converter(pb.ReportJobResultRequest).write(message)
    theirs = MessageToJson(message, always_print_fields_with_no_presence=True)
    assert json.loads(written) == json.loads(theirs)
    read = converter(pb.ReportJobResultRequest).read(written)
    assert read == message if outcome < 99 else read is None


@pytest.mark.parametrize("revision", ["0", "5", "9223372036854775807"])
def test_64_bit_numbers_are_text(revision: str) -> None:
    message = pb.ReportJobResultResponse(revision=int(revision))
    assert json.loads(converter(pb.ReportJobResultResponse).write(message))["revision"] == revision
    text = json.dumps({"additionalJobs": revision})
    assert converter(pb.AddJobsRequest).read(text.encode()) == Parse(text, pb.AddJobsRequest())


@pytest.mark.parametrize("data", UNUSUAL, ids=lambda data: data[:30].decode("latin-1"))
def test_json_that_is_not_in_the_usual_form_is_left_to_protobuf(data: bytes) -> None:
    assert converter(pb.ReportJobResultRequest).read(data) is None


def test_messages_with_other_fields_have_no_flat_json() -> None:
    assert flat_json(pb.Batch) is None
    assert flat_json(pb.CreateBatchRequest) is None
    assert flat_json(pb.ReportJobResultsRequest) is None
    assert any(flat_json(method.request) for method in methods_of())
