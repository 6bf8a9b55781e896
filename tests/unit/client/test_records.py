"""Reports as bytes: what was written whole is read."""

from io import BytesIO

import pytest

from batchprogress._reporting.records import record_of, reports_in
from batchprogress.integrations.relay import RECORD_BYTES_MAX, short_record_of
from tests.unit.client.reports import report

FIRST, SECOND = report("a"), report("b", "an error")


def test_reports_are_read_as_they_were_written() -> None:
    """In their order, to the end of the stream."""
    assert list(reports_in(BytesIO(record_of(FIRST) + record_of(SECOND)))) == [FIRST, SECOND]


def test_a_record_that_was_cut_short_ends_the_reading() -> None:
    """At every byte at which a process may have been killed."""
    whole = record_of(FIRST) + record_of(SECOND)
    for length in range(len(record_of(FIRST)), len(whole)):
        assert list(reports_in(BytesIO(whole[:length]))) == [FIRST]


def test_a_record_that_was_changed_ends_the_reading() -> None:
    """Its checksum tells."""
    changed = bytearray(record_of(FIRST))
    changed[-1] ^= 1
    assert list(reports_in(BytesIO(bytes(changed) + record_of(SECOND)))) == []


@pytest.mark.parametrize(("letter", "kept"), [("a", 2_000), ("ä", 2_000), ("\N{GRINNING FACE}", 1_000)])
def test_what_is_written_to_a_pipe_is_written_as_one_piece(letter: str, kept: int) -> None:
    """A record is as short as that needs; what is cut is the error's message, between two letters."""
    one = report("a", letter * 2_000)
    record = short_record_of(one)
    assert len(record) <= RECORD_BYTES_MAX
    (read,) = reports_in(BytesIO(record))
    assert (letter * 2_000).startswith(read.error_message)
    assert len(read.error_message) >= kept
    assert read.job_id == "a"


def test_an_identifier_that_no_server_takes_is_refused() -> None:
    """It is not cut: it would name another job."""
    with pytest.raises(ValueError, match="too long"):
        short_record_of(report("a" * 5_000))
