"""The table at the end of a run: each fault, how often it happened, and the reports."""

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Self

import pytest

from tests.faults.ledger import Findings, Ledger
from tests.support.notes import note, notes

ROW = "fault"
TITLES = ("fault", "database", "times", "reports", "acknowledged", "lost", "doubled", "seed")


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one test."""

    fault: str
    database: str
    times: int
    reports: int
    acknowledged: int
    lost: int
    doubled: int
    seed: str

    @classmethod
    def of(cls, test: tuple[str, str, int], times: int, ledger: Ledger, findings: Findings) -> Self:
        """Return the figures of a test (fault, database, seed); a miscounted batch counts as doubled."""
        fault, database, seed = test
        return cls(
            fault=fault,
            database=database,
            times=times,
            reports=ledger.reports,
            acknowledged=len(ledger.acknowledged),
            lost=len(findings.lost),
            doubled=len(findings.doubled) + len(findings.miscounted),
            seed=str(seed),
        )


def note_row(node: pytest.Item, row: Row) -> None:
    """Add the figures of a test to the table."""
    note(node, ROW, asdict(row))


def noted_rows(reporter: pytest.TerminalReporter) -> list[Row]:
    """Return the figures of all tests."""
    return [Row(**values) for values in notes(reporter, ROW)]


def table(rows: Sequence[Row]) -> list[str]:
    """Return the table as Markdown, ready for docs/fault-tests.md."""
    return markdown(TITLES, [[_text(value) for value in astuple(row)] for row in rows])


def markdown(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table; none if it has no rows."""
    lines = ["| " + " | ".join(line) + " |" for line in (titles, *rows)]
    return [lines[0], "|" + " --- |" * len(titles), *lines[1:]] if rows else []


def _text(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value
