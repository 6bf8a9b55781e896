"""Says at the start and at the end of a run which engines were found, and what was not run without them."""

import os
from collections import Counter
from collections.abc import Iterable
from typing import NoReturn

import pytest

from tests.support.storage.engines import ENGINES, LABELS, EngineName, found, missing_reason

ENGINE_PARAMETERS = ("database_engine", "engine")
"""The fixtures by which a test, through others or directly, asks for an engine (the second: one to break)."""


def is_demanded() -> bool:
    """Whether a missing server fails the run: on CI a skip would go unnoticed."""
    return os.environ.get("CI") == "true"


def skip_or_fail(reason: str) -> NoReturn:
    """End a test for want of a server; a skip is listed at the end of the run."""
    if is_demanded():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def count_needing(items: Iterable[pytest.Item]) -> Counter[EngineName]:
    """Return how many tests need each engine."""
    asked = (
        item.callspec.params.get(parameter)
        for item in items
        if hasattr(item, "callspec")
        for parameter in ENGINE_PARAMETERS
    )
    return Counter(engine for engine in asked if engine in ENGINES)


def found_lines(needing: Counter[EngineName]) -> list[str]:
    """Return a line for each engine that tests need and that was found."""
    return [f"database: {found(engine)}" for engine in ENGINES if needing[engine] and found(engine)]


def missing_lines(needing: Counter[EngineName]) -> list[str]:
    """Return a loud line for each engine that tests need and that is missing."""
    what = "FAILED" if is_demanded() else "NOT RUN"
    return [
        f"{what}: {needing[engine]} tests need {LABELS[engine]}: {missing_reason(engine)}"
        for engine in ENGINES
        if needing[engine] and missing_reason(engine)
    ]
