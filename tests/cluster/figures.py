"""The table of the scenarios on clusters, for docs/fault-tests.md."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pytest

from tests.faults.summary import markdown
from tests.support.notes import note, notes

ROW = "cluster"
TITLES = (
    "engine",
    "scenario",
    "reports",
    "acknowledged",
    "lost",
    "doubled",
    "UNAVAILABLE",
    "longest without an acknowledgement: all / worst server",
    "all again after",
    "missed",
)


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """The figures of a scenario; durations are in seconds."""

    engine: str
    scenario: str
    reports: int
    acknowledged: int
    lost: int
    doubled: int
    unavailable: int
    longest_of_all: float
    longest_of_a_server: float
    again_after: float
    """How long after the cluster was whole every server had acknowledged again; 0 if it was not measured."""
    missed: str
    """The bars that were missed."""


def note_row(node: pytest.Item, row: ClusterRow) -> None:
    """Add the figures of a scenario to the table."""
    note(node, ROW, asdict(row))


def table(reporter: pytest.TerminalReporter) -> list[str]:
    """Return the table as Markdown."""
    return markdown(TITLES, [_cells(ClusterRow(**values)) for values in notes(reporter, ROW)])


def _cells(row: ClusterRow) -> Sequence[str]:
    counts = (row.reports, row.acknowledged, row.lost, row.doubled, row.unavailable)
    return (
        row.engine,
        row.scenario,
        *(f"{count:,}" for count in counts),
        f"{row.longest_of_all:.1f} / {row.longest_of_a_server:.1f} s" if row.longest_of_all else "",
        f"{row.again_after:.1f} s" if row.again_after else "",
        row.missed,
    )
