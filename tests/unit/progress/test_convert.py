"""The messages that watchers get."""

import time

import pytest

from batches.stall import ReconcilerRules
from services.progress.convert import BatchConverter
from services.progress.watch import Snapshot
from tests.support.samples import BATCH

QUIET_SECONDS = 700.0
RULES = ReconcilerRules(stuck_after_seconds=300, period_seconds=300)


def test_watchers_share_a_message() -> None:
    """Watchers that get a state at about the same time share its message."""
    converter, snapshot = BatchConverter(RULES), Snapshot(BATCH, time.monotonic())
    assert converter.to_watch_response(snapshot) is converter.to_watch_response(snapshot)


def test_later_watcher_gets_a_new_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a long silence it mentions the stall, although the state is the same."""
    converter, snapshot = BatchConverter(RULES), Snapshot(BATCH, time.monotonic())
    assert not converter.to_watch_response(snapshot).batch.stall_reason
    later = time.monotonic() + QUIET_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert converter.to_watch_response(snapshot).batch.stall_reason
