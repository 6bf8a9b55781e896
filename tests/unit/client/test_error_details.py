"""The stack traces of failures: what is sent, how they are cut, and how they are left out."""

from io import BytesIO

import pytest

from batchprogress._reporting.buffer import Buffer
from batchprogress._reporting.error_details import CUT, ERROR_DETAILS_BYTES_MAX, cut_details, details_of
from batchprogress._reporting.records import read_reports
from batchprogress.integrations.relay import RECORD_BYTES_MAX, to_short_record
from tests.unit.client.collected import Collected
from tests.unit.client.reports import report


def fail(depth: int = 0) -> None:
    """Raise with a stack of this depth."""
    if depth:
        fail(depth - 1)
    secret = "a value"  # noqa: F841  # of a variable
    raise ValueError("no such row")


def raised(depth: int = 0) -> ValueError:
    """Return an exception that was raised."""
    try:
        fail(depth)
    except ValueError as error:
        return error
    raise AssertionError


def details(reporter: Collected) -> list[str]:
    """Return the reported details."""
    return [one.error_details for one in reporter.all]


def test_a_failed_job_is_reported_with_its_stack_trace() -> None:
    """With the lines of the code, and without the values of variables."""
    reporter = Collected()
    with pytest.raises(ValueError, match="no such row"), reporter.job("a"):
        fail()
    (found,) = details(reporter)
    assert found.startswith("Traceback (most recent call last):\n")
    assert found.endswith("ValueError: no such row\n")
    assert 'raise ValueError("no such row")' in found
    assert "a value" not in found.replace('secret = "a value"', "")


def test_given_details_replace_the_stack_trace() -> None:
    reporter = Collected()
    reporter.failed("a", raised(), error_details="mine")
    reporter.failed("b", raised(), error_details="")
    reporter.failed("c", "a message", error_details="of another program")
    assert details(reporter) == ["mine", "", "of another program"]


def test_an_error_that_was_never_raised_has_no_details() -> None:
    reporter = Collected()
    reporter.failed("a", TimeoutError("no answer"))
    reporter.failed("b", "a message")
    assert details(reporter) == ["", ""]


def test_stack_traces_are_switched_off() -> None:
    """Details that the caller gives are sent nevertheless."""
    reporter = Collected(error_details=False)
    reporter.failed("a", raised())
    reporter.failed("b", raised(), error_details="mine")
    assert details(reporter) == ["", "mine"]


def test_an_exception_whose_text_fails_is_reported() -> None:
    class BadError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    reporter = Collected()
    with pytest.raises(BadError), reporter.job("a"):
        raise BadError
    assert reporter.all[0].error_type.endswith("BadError")


def test_long_details_keep_their_last_lines() -> None:
    text = "".join(f"line {number}\n" for number in range(10_000))
    cut = cut_details(text)
    assert cut.startswith(f"{CUT}line ")
    assert cut.endswith("line 9999\n")
    assert text.endswith(cut.removeprefix(CUT))
    assert ERROR_DETAILS_BYTES_MAX - 20 < len(cut.encode()) <= ERROR_DETAILS_BYTES_MAX


@pytest.mark.parametrize("text", ["€" * 20_000, "first\n" + "€" * 20_000 + "\n"])
def test_a_last_line_that_is_too_long_keeps_its_beginning(text: str) -> None:
    cut = cut_details(text)
    assert set(cut.removeprefix(CUT)) == {"€"}
    assert ERROR_DETAILS_BYTES_MAX - 4 < len(cut.encode()) <= ERROR_DETAILS_BYTES_MAX


def test_characters_that_cannot_be_encoded_are_replaced() -> None:
    assert cut_details("caf\udce9") == "caf?"


def test_a_trace_of_a_deep_recursion_is_short() -> None:
    assert len(details_of(raised(depth=500)).encode()) <= ERROR_DETAILS_BYTES_MAX


def test_a_buffer_that_is_half_full_keeps_reports_without_details() -> None:
    """So details never crowd out a report."""
    buffer = Buffer(bytes_max=4_000)
    for number in range(40):
        one = report(str(number))
        one.error_details = "x" * 1_000
        buffer.append(one)
    kept = [len(one.error_details) for one in buffer]
    assert kept == [1_000] + [0] * 39


def test_a_short_record_cuts_the_details_before_the_message() -> None:
    """A relay's pipe takes 4 KiB at once."""
    one = report("a", "m" * 1_000)
    one.error_details = "".join(f"line {number}\n" for number in range(1_000))
    record = to_short_record(one)
    assert len(record) <= RECORD_BYTES_MAX
    (read,) = read_reports(BytesIO(record))
    assert read.error_message == "m" * 1_000
    assert read.error_details.startswith(f"{CUT}line ")
    assert read.error_details.endswith("line 999\n")


def test_a_short_record_with_a_long_message_has_no_details() -> None:
    one = report("a", "m" * 5_000)
    one.error_details = "line\n" * 1_000
    (read,) = read_reports(BytesIO(to_short_record(one)))
    assert read.error_details == ""
    assert len(read.error_message) > 3_000
