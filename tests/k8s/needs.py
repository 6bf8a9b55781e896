"""Skips tests whose requirements this machine lacks, and lists them in the summary of a run."""

import os
from collections.abc import Callable

import pytest

from tests.k8s import image_builder
from tests.support import control_plane
from tests.support.notes import note, notes

GIVEN_VARIABLE = "KUBERNETES"
NEEDED = "kubernetes needed"
USED = "kubernetes used"


def _unasked() -> str:
    """Return why the cluster may not be used: it may be anybody's, so the user must ask for it."""
    return "" if os.environ.get(GIVEN_VARIABLE) == "given" else "run `make test-k8s`"


def server_missing() -> str:
    """Return why no API server can be used, empty if one can."""
    return _unasked() or control_plane.missing_reason()


REASONS: dict[str, tuple[Callable[[], str], ...]] = {
    "control": (server_missing,),
    "controllers": (server_missing, control_plane.lacks_controllers),
    "builder": (_unasked, image_builder.missing_reason),
}
"""For each fixture, functions that return why its requirement is missing."""


def require(item: pytest.Item) -> None:
    """Skip a test whose requirements are missing."""
    for fixture in getattr(item, "fixturenames", ()):
        for missing in REASONS.get(fixture, ()):
            if reason := missing():
                note(item, NEEDED, [item.nodeid, reason])
                pytest.skip(reason)


def lines(reporter: pytest.TerminalReporter) -> list[str]:
    """Return a line for each test that was not run."""
    return [f"NOT RUN: {test}: {reason}" for test, reason in notes(reporter, NEEDED)]


def used(reporter: pytest.TerminalReporter) -> list[str]:
    """Return the control planes that the tests used."""
    return sorted(set(notes(reporter, USED)))
