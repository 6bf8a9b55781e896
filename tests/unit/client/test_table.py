"""Tables: what a terminal of 80 columns shows of lists and failures."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.cells import cell_len

from batchprogress._calls.convert import to_batch
from batchprogress.cli import failures, listing
from batchprogress.cli.table import ROWS_AT_A_TIME, Column, Row, lines_of
from batchprogress.v1 import progress_pb2 as pb

UUID = "9ae0af2e-bc43-435d-a0bd-12351d4cd792"
NARROW, WIDE = 80, 200
THEN = datetime(2019, 11, 30, 9, 5, 7, tzinfo=UTC)


def batch(batch_id: str) -> Row:
    """Return the row of a batch with something in each column."""
    message = pb.Batch(
        batch_id=batch_id,
        display_name="学生の同期 of all lecturers",
        labels={"team": "sync"},
        state=pb.BATCH_STATE_PROCESSING,
        total_jobs=1037,
        succeeded_jobs=1000,
        failed_jobs=9,
        pending_jobs=28,
        percent_complete=97,
        jobs_per_second=12.0,
    )
    message.create_time.FromDatetime(THEN)
    return listing._row(to_batch(message))  # noqa: SLF001


def shown(columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> list[str]:
    """Return the lines of a table, each of which fits the width."""
    lines = list(lines_of(columns, rows, width))
    assert all(width is None or cell_len(line) <= width for line in lines), lines
    return lines


def test_batches_with_uuids_are_one_line_each_in_80_columns() -> None:
    """Ids and counts stay whole; what matters least is left out."""
    head, _rule, *rows = shown(listing.COLUMNS, [batch(UUID), batch("sync")], NARROW)
    assert head.split() == ["batch", "state", "jobs", "percent", "details"]
    assert [row.split()[0] for row in rows] == [UUID, "sync"]
    assert rows[0].split()[1:5] == ["processing", "1,009/1,037", "97", "%"]


def test_short_ids_leave_room_for_short_times() -> None:
    head, _rule, row = shown(listing.COLUMNS, [batch("sync-2026-11")], NARROW)
    assert head.split()[4:] == ["details", "created", "UTC"]
    assert row.split()[-1] == "2019-11-30"


def test_wide_terminals_and_pipes_get_everything() -> None:
    """Pipes get no rule below the heads."""
    wide = shown(listing.COLUMNS, [batch(UUID)], WIDE)
    piped = shown(listing.COLUMNS, [batch(UUID)], None)
    assert [wide[0], *wide[2:]] == piped
    assert piped[0].split() == [column.name for column in listing.COLUMNS]
    assert "2019-11-30 09:05:07 UTC" in piped[1]
    assert piped[1].endswith("team=sync")


def test_an_error_goes_on_below_and_breaks_no_id() -> None:
    """The fingerprint stays, since failures can be selected by it."""
    batch_id = "sync-of-all-lecturers-in-september"
    error = f"could not reach the payroll service for the lecturer {UUID}: no answer about {batch_id} in time"
    row = ("1,000", "ConnectionRefusedError", UUID, "00f1e2d3c4b5a697", error)
    head, _rule, *lines = shown(failures.GROUP_COLUMNS, [row], NARROW)
    assert head.split() == ["failed", "error", "type", "fingerprint", "error"]
    assert "00f1e2d3c4b5a697" in lines[0]
    assert len(lines) > 1
    assert all(one in " ".join(lines) for one in (UUID, batch_id))


def test_rows_are_written_as_they_arrive() -> None:
    """A list of 300,000 batches needs no more memory than one page."""
    taken = 0

    def rows() -> Iterator[Row]:
        nonlocal taken
        for taken in range(1, 3 * ROWS_AT_A_TIME):
            yield (f"batch-{taken}",)

    lines = lines_of([Column("batch")], rows(), None)
    assert [next(lines), next(lines)] == ["batch", "batch-1"]
    assert taken == ROWS_AT_A_TIME
    assert len(list(lines)) == 3 * ROWS_AT_A_TIME - 2


def test_table_without_rows_has_no_head() -> None:
    assert shown(listing.COLUMNS, [], NARROW) == []
