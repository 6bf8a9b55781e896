"""Reports as bytes: what was written whole is read."""

from io import BytesIO

from batchprogress.records import record_of, reports_in
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
