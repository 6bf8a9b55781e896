"""Ends tests that need a database server which this machine lacks, and says so at the end of a run."""

import os
from collections import Counter
from typing import Literal, NoReturn

import pytest

from tests.support.notes import note, notes
from tests.support.storage.engines import ENGINES, LABELS, EngineName, found, missing_reason

ENGINE_PARAMETERS = ("database_engine", "engine")
"""The fixtures by which a test, through others or directly, asks for an engine (the second: one to break)."""
NEEDED = "engine needed"


def engine_of(item: pytest.Item) -> EngineName | None:
    """Return the engine a test needs."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    asked = (parameters.get(name) for name in ENGINE_PARAMETERS)
    return next((engine for engine in asked if engine in ENGINES), None)


def require_engine(item: pytest.Item) -> None:
    """Skip a test for want of a server; on CI fail it, since a skip would go unnoticed."""
    engine = engine_of(item)
    if engine is None:
        return
    note(item, NEEDED, engine)
    if reason := missing_reason(engine):
        (pytest.fail if _is_demanded() else pytest.skip)(reason)


def without(reason: str) -> NoReturn:
    """End a test for want of another program than a database server, as `require_engine` does."""
    (pytest.fail if _is_demanded() else pytest.skip)(f"NOT RUN: {reason}")


def absent(what: str) -> NoReturn:
    """Skip a test for want of what nobody can be asked to have, on CI neither; -ra says so at the end."""
    pytest.skip(f"NOT RUN: {what}")


def lines(reporter: pytest.TerminalReporter, kind: Literal["found", "missing"]) -> list[str]:
    """Return a line for each engine that tests needed and that was found, or a loud one for each missing."""
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
