"""What tests note for the end of the run, whichever process of the run they are in."""

from collections.abc import Callable
from typing import Any

import pytest

FIGURES = "figures"


def note(node: pytest.Item, kind: str, value: object) -> None:
    """Keep a value of plain types with the test's report, which is what reaches the end of the run."""
    node.user_properties.append((kind, value))


def notes(reporter: pytest.TerminalReporter, kind: str) -> list[Any]:
    """Return the values of a kind of all tests that were run."""
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
    """Return what notes a line of figures, measured without asserting them."""
    return lambda line: note(request.node, FIGURES, f"{request.node.name}: {line}")
