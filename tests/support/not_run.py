"""Skips tests that need a program this machine does not have, and lists them at the end of a run."""

import os
from collections import Counter
from typing import Literal, NoReturn

import pytest

from tests.support.notes import note, notes
from tests.support.storage.engines import ENGINES, LABELS, EngineName, found, missing_reason

ENGINE_PARAMETERS = ("database_engine", "engine")
"""The fixtures with which tests choose an engine; the second one is for servers that tests break."""
NEEDED = "engine needed"


def engine_of(item: pytest.Item) -> EngineName | None:
    """Return the engine that a test runs on, if it needs one."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    asked = (parameters.get(name) for name in ENGINE_PARAMETERS)
    return next((engine for engine in asked if engine in ENGINES), None)


def require_engine(item: pytest.Item) -> None:
    """Skip a test whose engine is missing; on CI fail it, since nobody would notice a skip."""
    engine = engine_of(item)
    if engine is None:
        return
    note(item, NEEDED, engine)
    if reason := missing_reason(engine):
        (pytest.fail if _is_demanded() else pytest.skip)(reason)


def without(reason: str) -> NoReturn:
    """Skip the current test since a program is missing; on CI fail it."""
    (pytest.fail if _is_demanded() else pytest.skip)(f"NOT RUN: {reason}")


def absent(what: str) -> NoReturn:
    """Skip the current test, also on CI, since what it needs cannot be required."""
    pytest.skip(f"NOT RUN: {what}")


def lines(reporter: pytest.TerminalReporter, kind: Literal["found", "missing"]) -> list[str]:
    """Return a line for each engine that tests needed: the engines that were found, or the missing ones."""
    needed: Counter[EngineName] = Counter(notes(reporter, NEEDED))
    if kind == "found":
        return [found(engine) for engine in ENGINES if needed[engine] and found(engine)]
    what = "FAILED" if _is_demanded() else "NOT RUN"
    return [
        f"{what}: {needed[engine]} tests need {LABELS[engine]}: {missing_reason(engine)}"
        for engine in ENGINES
        if needed[engine] and missing_reason(engine)
    ]


def _is_demanded() -> bool:
    return os.environ.get("CI") == "true"
