"""Failed jobs as lines of CSV and JSON."""

import csv
import io
import json

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.reads.failure_lines import CSV, CSV_HEADS, JSON_LINES
from services.gateway.settings import GatewaySettings

RESULT = pb.JobResult(
    job_id="17",
    outcome=pb.JOB_OUTCOME_FAILED,
    attempt=2,
    error_type="KeyError",
    error_message='a "quoted"\nmessage, ä',
    record_time=Timestamp(seconds=1_767_225_600),
    display_name="=HYPERLINK(1)",
)


def test_csv_has_a_row_for_each_job() -> None:
    """Read back by the rules of CSV; nothing in it is a formula of a spreadsheet."""
    text = (CSV.head + CSV.lines([RESULT, pb.JobResult(job_id="-1", reconciled=True)])).decode()
    heads, first, second = csv.reader(io.StringIO(text, newline=""))
    assert heads == list(CSV_HEADS)
    assert first == [
        "17",
        "'=HYPERLINK(1)",
        "2",
        "KeyError",
        'a "quoted"\nmessage, ä',
        "2026-01-01T00:00:00Z",
        "false",
    ]
    assert (second[0], second[-1]) == ("'-1", "true")


@pytest.mark.parametrize("first", [*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20"])
def test_no_cell_is_a_formula(first: str) -> None:
    text = CSV.lines([pb.JobResult(job_id="1", error_message=f"{first}SUM(1)")]).decode()
    ((*_, message, _, _),) = csv.reader(io.StringIO(text, newline=""))
    assert message == f"'{first}SUM(1)"


def test_json_lines_have_an_object_for_each_job() -> None:
    lines = JSON_LINES.lines([RESULT, RESULT]).decode().splitlines()
    assert len(lines) == 2
    found = json.loads(lines[0])
    assert (found["jobId"], found["displayName"], found["attempt"]) == ("17", "=HYPERLINK(1)", 2)
    assert "errorDetails" not in found


def test_the_name_of_the_file_has_no_character_that_needs_quotes() -> None:
    assert CSV.file_name('a/"b"') == "failures-a__b_.csv"


@pytest.mark.parametrize(
    "template",
    [
        "flower/{job_id}",
        "javascript://host/{job_id}",
        "https://flower.example.com/",
        "https://{job_id}.example.com/{job_id}",
        "https://flower.example.com/{job_id}/{name}",
        "https://flower.example.com/{job_id}/{",
    ],
)
def test_a_job_url_that_is_no_template_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="job_url"):
        GatewaySettings(job_url=template)


def test_a_job_url_names_the_job_and_may_name_the_batch() -> None:
    template = "https://flower.example.com/{batch_id}/task/{job_id}?a=b"
    assert GatewaySettings(job_url=template).job_url == template
