"""Lines of JSON as calls."""

import io
import json

import pytest

from batchprogress._reporting.buffer import CALL_REPORTS_MAX
from batchprogress.cli.cli_errors import CommandError
from batchprogress.cli.job_lines import LINE_BYTES_MAX, NumberedReport, calls_in, report_in


def line(job_id: str, **more: object) -> bytes:
    """Return a line of the input."""
    return json.dumps({"job_id": job_id, "outcome": "succeeded", **more}).encode() + b"\n"


def calls_of(text: bytes) -> list[list[NumberedReport]]:
    """Return the calls in an input that is there at once."""
    return list(calls_in(io.BufferedReader(io.BytesIO(text)), "b"))


def test_a_call_has_at_most_as_many_reports_as_the_contract_allows() -> None:
    """The lines are divided even if one read brings them all."""
    calls = calls_of(b"".join(line(str(number)) for number in range(CALL_REPORTS_MAX + 1)))
    assert [len(call) for call in calls] == [CALL_REPORTS_MAX, 1]
    assert calls[1][0].line == CALL_REPORTS_MAX + 1


def test_the_last_line_needs_no_line_break() -> None:
    """It is sent when the input ends."""
    (first,), (last,) = calls_of(line("1") + line("2").rstrip())
    assert [first.report.job_id, last.report.job_id] == ["1", "2"]


def test_the_lines_before_a_bad_one_are_sent() -> None:
    """The error names the bad line."""
    calls = calls_in(io.BufferedReader(io.BytesIO(line("1") + b"{\n" + line("3"))), "b")
    assert [one.report.job_id for one in next(calls)] == ["1"]
    with pytest.raises(CommandError, match="line 2 is not a report: it is not JSON"):
        next(calls)


def test_a_line_of_brackets_alone_is_not_json() -> None:
    """Python gives up after a thousand in each other, with another error than for anything else."""
    with pytest.raises(CommandError, match="line 1 is not a report: it is not JSON"):
        calls_of(b"[" * 100_000 + b"\n")


def test_an_input_without_line_breaks_is_refused() -> None:
    """It is not read into memory as a whole."""
    with pytest.raises(CommandError, match="longer than any report"):
        calls_of(b"x" * (2 * LINE_BYTES_MAX))


def test_a_line_may_name_its_batch() -> None:
    """The argument is the batch of the other lines, and is needed only for them."""
    assert [report_in(line("j", batch_id="own"), given).batch_id for given in ("b", None)] == ["own", "own"]
    assert report_in(line("j"), "b").batch_id == "b"
    with pytest.raises(ValueError, match="it names no batch_id"):
        report_in(line("j"), None)
    with pytest.raises(ValueError, match="batch_id must be a string of 1 to 128"):
        report_in(line("j", batch_id=None), "b")


def test_a_line_may_name_its_job() -> None:
    """The name is cut to the contract's limit."""
    assert report_in(line("j", display_name="ü" * 300), "b").display_name == "ü" * 200
    with pytest.raises(ValueError, match="display_name must be a string"):
        report_in(line("j", display_name=17), "b")


@pytest.mark.parametrize("attempt", [True, 0, 2**31, "1", 1.0])
def test_an_attempt_is_a_positive_int32(attempt: object) -> None:
    """JSON's true is not the number 1."""
    with pytest.raises(ValueError, match="attempt must be from 1"):
        report_in(line("j", attempt=attempt), "b")
