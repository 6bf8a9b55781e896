"""The table at the end of a run: what was broken, how often, and what became of the reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import pytest

from tests.faults.ledger import Findings, Ledger

ROWS = pytest.StashKey[list["Row"]]()
TITLES = ("fault", "database", "times", "reports", "acknowledged", "lost", "doubled", "seed")


@dataclass(frozen=True, slots=True)
class Row:
    """One test's figures."""

    fault: str
    database: str
    times: int
    reports: int
    acknowledged: int
    lost: int
    doubled: int
    seed: int

    @classmethod
    def of(cls, test: tuple[str, str, int], times: int, ledger: Ledger, findings: Findings) -> Self:
        """Return the figures of a test (fault, database, seed); a miscounted batch is a double count too."""
        fault, database, seed = test
        return cls(
            fault=fault,
            database=database,
            times=times,
            reports=ledger.reports,
            acknowledged=len(ledger.acknowledged),
            lost=len(findings.lost),
            doubled=len(findings.doubled) + len(findings.miscounted),
            seed=seed,
        )


def table(rows: Sequence[Row]) -> list[str]:
    """Return the table as Markdown, ready for docs/reliability.md."""
    cells = [TITLES, *((_text(value) for value in _values(row)) for row in rows)]
    lines = ["| " + " | ".join(line) + " |" for line in cells]
    return [lines[0], "|" + " --- |" * len(TITLES), *lines[1:]]


def _values(row: Row) -> tuple[str | int, ...]:
    return (
        row.fault,
        row.database,
        row.times,
        row.reports,
        row.acknowledged,
        row.lost,
        row.doubled,
        str(row.seed),
    )


def _text(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value
