"""Reports as bytes: every whole record is read."""

from io import BytesIO

import pytest

from batchprogress._reporting.records import read_reports, to_record
from batchprogress.integrations.relay import RECORD_BYTES_MAX, to_short_record
from tests.unit.client.reports import report

FIRST, SECOND = report("a"), report("b", "an error")


def test_reports_are_read_as_they_were_written() -> None:
    """They are read in their order, up to the end of the stream."""
    assert list(read_reports(BytesIO(to_record(FIRST) + to_record(SECOND)))) == [FIRST, SECOND]


def test_a_record_of_version_0_1_is_read() -> None:
    """A spool outlives an upgrade; its reports have no names."""
    old = bytes.fromhex("120000000fae6a300a016212016118023208616e206572726f72")
    assert list(read_reports(BytesIO(old))) == [report("a", "an error")]


def test_a_record_keeps_the_name_of_a_job() -> None:
    """In a pipe too, where a long error message is cut instead."""
    named = report("a", "ä" * 2_000)
    named.display_name = "\N{GRINNING FACE}" * 200
    assert list(read_reports(BytesIO(to_record(named)))) == [named]
    (short,) = read_reports(BytesIO(to_short_record(named)))
    assert short.display_name == named.display_name


def test_a_truncated_record_ends_the_reading() -> None:
    """A process may be killed after any byte."""
    whole = to_record(FIRST) + to_record(SECOND)
    for length in range(len(to_record(FIRST)), len(whole)):
        assert list(read_reports(BytesIO(whole[:length]))) == [FIRST]


def test_a_corrupt_record_ends_the_reading() -> None:
    """Its checksum does not match."""
    changed = bytearray(to_record(FIRST))
    changed[-1] ^= 1
    assert list(read_reports(BytesIO(bytes(changed) + to_record(SECOND)))) == []


@pytest.mark.parametrize(("letter", "kept"), [("a", 2_000), ("ä", 2_000), ("\N{GRINNING FACE}", 1_000)])
def test_a_record_for_a_pipe_is_short_enough_to_be_written_atomically(letter: str, kept: int) -> None:
    """A long error message is cut, between two letters."""
    one = report("a", letter * 2_000)
    record = to_short_record(one)
    assert len(record) <= RECORD_BYTES_MAX
    (read,) = read_reports(BytesIO(record))
    assert (letter * 2_000).startswith(read.error_message)
    assert len(read.error_message) >= kept
    assert read.job_id == "a"


def test_an_identifier_too_long_for_a_pipe_is_refused() -> None:
    """Cut, it would name another job."""
    with pytest.raises(ValueError, match="too long"):
        to_short_record(report("a" * 5_000))
