"""Notes that tests make for the end of the run, from any process of the run."""

from collections.abc import Callable
from typing import Any

import pytest

FIGURES = "figures"


def note(node: pytest.Item, kind: str, value: object) -> None:
    """Add a value of plain types to the report of a test, which is sent to the main process."""
    node.user_properties.append((kind, value))


def notes(reporter: pytest.TerminalReporter, kind: str) -> list[Any]:
    """Return all notes of a kind."""
    reports = (one for group in reporter.stats.values() for one in group)
    return [
        value
        for report in reports
        if getattr(report, "when", None) == "teardown"  # the last report of a test has all its notes
        for name, value in report.user_properties
        if name == kind
    ]


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return a function that notes a line of figures, which are measured but not asserted."""
    return lambda line: note(request.node, FIGURES, f"{request.node.name}: {line}")
