"""What the tests here need of this machine, and what was not run for want of it, said at the end of a run."""

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
    """Return why nothing may be done to a cluster: it may be anybody's, so it is only done when asked for."""
    return "" if os.environ.get(GIVEN_VARIABLE) == "given" else "run `make test-k8s`"


def server_missing() -> str:
    """Return why there is no API server to test on; empty if there is."""
    return _unasked() or control_plane.missing_reason()


REASONS: dict[str, tuple[Callable[[], str], ...]] = {
    "control": (server_missing,),
    "controllers": (server_missing, control_plane.lacks_controllers),
    "builder": (_unasked, image_builder.missing_reason),
}
"""By the fixture that a test uses: why it may be missing."""


def require(item: pytest.Item) -> None:
    """Skip a test for want of what it needs; the end of the run lists it."""
    for fixture in getattr(item, "fixturenames", ()):
        for missing in REASONS.get(fixture, ()):
            if reason := missing():
                note(item, NEEDED, [item.nodeid, reason])
                pytest.skip(reason)


def lines(reporter: pytest.TerminalReporter) -> list[str]:
    """Return a loud line for each test that was not run."""
    return [f"NOT RUN: {test}: {reason}" for test, reason in notes(reporter, NEEDED)]


def used(reporter: pytest.TerminalReporter) -> list[str]:
    """Return what the tests ran on."""
    return sorted(set(notes(reporter, USED)))
