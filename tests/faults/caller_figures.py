"""The table of fault 15: what each hostile caller costs the server and its neighbour."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pytest

from tests.faults.summary import markdown
from tests.support.notes import note, notes

ROW = "hostile caller"
TITLES = (
    "attack",
    "size",
    "memory at rest",
    "at most",
    "neighbour alone, p50 / p99",
    "meanwhile, p50 / p99",
    "failed calls",
    "normal after",
)


@dataclass(frozen=True, slots=True)
class CallerRow:
    """The figures of one attack; durations are in seconds."""

    attack: str
    size: str
    rest_mib: int
    peak_mib: int
    alone: tuple[float, float]
    """The p50 and the p99 of the neighbour's reports without the attack."""
    meanwhile: tuple[float, float]
    failed: int
    """Reports of the neighbour that were answered with an error during the attack."""
    normal_after: float


def note_row(node: pytest.Item, row: CallerRow) -> None:
    """Add the figures of an attack to the table."""
    note(node, ROW, asdict(row))


def table(reporter: pytest.TerminalReporter) -> list[str]:
    """Return the table as Markdown, ready for docs/fault-tests.md."""
    return markdown(TITLES, [_cells(CallerRow(**values)) for values in notes(reporter, ROW)])


def _cells(row: CallerRow) -> Sequence[str]:
    return (
        row.attack,
        row.size,
        f"{row.rest_mib} MiB",
        f"{row.peak_mib} MiB",
        _milliseconds(row.alone),
        _milliseconds(row.meanwhile),
        str(row.failed),
        f"{row.normal_after:.1f} s",
    )


def _milliseconds(quantiles: Sequence[float]) -> str:
    return " / ".join(f"{seconds * 1_000:,.0f}" for seconds in quantiles) + " ms"
