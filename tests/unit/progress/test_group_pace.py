"""Servers that write one batch on several nodes leave room for each other's groups."""

import asyncio

import pytest

from services.progress import group_pace
from services.progress.group_commit import GroupCommit
from services.progress.group_pace import (
    COMPETING_CONFLICTS_MIN,
    COMPETING_SECONDS,
    PAUSE_SECONDS_MAX,
    PAUSE_SECONDS_MIN,
    GroupPace,
)
from tests.unit.progress.memory_store import MemoryStore, one, submit

LONG_SECONDS = 60.0
"""A pause that no test waits for."""


def _competing(jitter: float) -> GroupPace:
    """Return the pace of a server whose group lost several times, and ended at 100."""
    pace = GroupPace(lambda: jitter)
    pace.ended(COMPETING_CONFLICTS_MIN, 100.0)
    return pace


def test_server_without_conflicts_does_not_pause() -> None:
    pace = GroupPace()
    pace.ended(0, 100.0)
    assert pace.pause_seconds(100.0) == 0


@pytest.mark.parametrize(("jitter", "pause"), [(0.0, PAUSE_SECONDS_MIN), (1.0, PAUSE_SECONDS_MAX)])
def test_server_that_competes_pauses_after_each_group(jitter: float, pause: float) -> None:
    pace = _competing(jitter)
    assert pace.pause_seconds(100.0) == pause
    pace.ended(COMPETING_CONFLICTS_MIN, 101.0)
    assert pace.pause_seconds(101.0) == pause


def test_pause_counts_from_the_end_of_the_last_group() -> None:
    """A group that comes later is recorded at once."""
    assert _competing(1.0).pause_seconds(100.0 + PAUSE_SECONDS_MAX) == 0


def test_single_conflict_causes_no_pause() -> None:
    """A deadlock happens on a single database, too."""
    pace = GroupPace()
    pace.ended(1, 100.0)
    assert pace.pause_seconds(100.0) == 0
    pace.ended(1, 100.1)
    assert pace.pause_seconds(100.1) == 0
    pace.ended(2, 100.2)
    assert pace.pause_seconds(100.2) > 0


def test_servers_that_compete_no_longer_do_not_pause() -> None:
    pace = _competing(1.0)
    pace.ended(COMPETING_CONFLICTS_MIN, 100.0 + COMPETING_SECONDS)
    assert pace.pause_seconds(100.0 + COMPETING_SECONDS) == 0


async def test_winner_leaves_room_for_the_groups_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that come during the pause are recorded together after it."""
    store = MemoryStore()
    monkeypatch.setattr(group_pace, "PAUSE_SECONDS_MIN", 0.2)
    monkeypatch.setattr(group_pace, "PAUSE_SECONDS_MAX", 0.2)
    commit, running = _run(store)
    await submit(commit, one("a"))
    first = asyncio.create_task(submit(commit, one("b")))
    for _ in range(20):  # without a pause, the call would be recorded by now
        await asyncio.sleep(0)
    await asyncio.gather(first, submit(commit, one("c")))
    commit.close()
    await running
    assert store.groups == [1, 2]


async def test_server_that_closes_does_not_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its accepted calls are answered before its process has to end."""
    store = MemoryStore()
    monkeypatch.setattr(group_pace, "PAUSE_SECONDS_MIN", LONG_SECONDS)
    monkeypatch.setattr(group_pace, "PAUSE_SECONDS_MAX", LONG_SECONDS)
    store.open.clear()
    commit, running = _run(store)
    first = asyncio.create_task(submit(commit, one("a")))
    await store.entered.wait()
    second = asyncio.create_task(submit(commit, one("b")))
    await asyncio.sleep(0)
    commit.close()
    store.open.set()
    async with asyncio.timeout(LONG_SECONDS / 6):
        await asyncio.gather(first, second, running)
    assert store.groups == [1, 1]


def _run(store: MemoryStore) -> tuple[GroupCommit, asyncio.Task[None]]:
    """Run a group commit whose first transaction loses against others."""
    commit = GroupCommit(
        store.record, lambda _: None, backlog_results_max=10, conflicts=lambda: COMPETING_CONFLICTS_MIN
    )
    return commit, asyncio.create_task(commit.run())
