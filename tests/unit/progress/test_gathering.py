"""How long a group stays open for calls that come one by one."""

import asyncio
from itertools import count

import pytest

from services.progress import gathering
from services.progress.group_commit import GroupCommit
from services.progress.turns import GROUP_WORK_MAX
from tests.unit.progress.memory_store import MemoryStore, group_commit, one, submit

SECONDS_MAX = 10.0


async def test_lone_call_does_not_wait_for_others() -> None:
    """After a group of one call the next call is recorded at once, even if another follows closely."""
    store = MemoryStore()
    async with group_commit(store) as commit:
        for number in range(3):
            await submit(commit, one(f"alone{number}"))
        first = asyncio.create_task(submit(commit, one("first")))
        for _ in range(5):  # turns of the event loop
            await asyncio.sleep(0)
        await asyncio.gather(first, submit(commit, one("second")))
    assert store.groups == [1, 1, 1, 1, 1]


async def test_calls_that_keep_coming_are_one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a group of several calls the next one stays open while calls keep coming."""
    monkeypatch.setattr(gathering, "GATHER_SECONDS_MAX", 1_000.0)
    store = MemoryStore()
    async with group_commit(store) as commit:
        await asyncio.gather(submit(commit, one("a")), submit(commit, one("b")))
        answers = []
        for number in range(50):
            answers.append(asyncio.create_task(submit(commit, one(f"j{number}"))))
            await asyncio.sleep(0)
        await asyncio.gather(*answers)
    assert store.groups == [2, 50]


async def test_group_is_closed_when_all_callers_have_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is left to wait for: those of the last group, and those that waited for it."""
    monkeypatch.setattr(gathering, "GATHER_STEP_SECONDS", 1_000.0)
    monkeypatch.setattr(gathering, "GATHER_SECONDS_MAX", 1_000.0)
    store = MemoryStore()

    async def work(commit: GroupCommit, worker: int) -> None:
        for number in range(3):
            await submit(commit, one(f"{worker}-{number}"))

    async with group_commit(store) as commit, asyncio.timeout(SECONDS_MAX):
        store.open.clear()
        first = asyncio.create_task(work(commit, 0))
        await store.entered.wait()
        others = [asyncio.create_task(work(commit, worker)) for worker in (1, 2, 3)]
        await asyncio.sleep(0)
        store.open.set()
        await asyncio.gather(first, *others)
    assert store.groups == [1, 3, 4, 4]


async def test_group_waits_for_the_callers_of_the_last_one_beside_those_that_waited_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call that came during the last group stands for none of its callers."""
    monkeypatch.setattr(gathering, "GATHER_STEP_SECONDS", 1_000.0)
    monkeypatch.setattr(gathering, "GATHER_SECONDS_MAX", 1_000.0)
    store = MemoryStore()
    async with group_commit(store) as commit, asyncio.timeout(SECONDS_MAX):
        store.open.clear()
        last = [asyncio.create_task(submit(commit, one(name))) for name in "ab"]
        await store.entered.wait()
        calls = [asyncio.create_task(submit(commit, one("during")))]
        await asyncio.sleep(0)
        store.open.set()
        await asyncio.gather(*last)
        for name in "ab":
            assert store.groups == [2]
            calls.append(asyncio.create_task(submit(commit, one(f"next-{name}"))))
            for _ in range(2 * gathering.GATHER_TURNS):
                await asyncio.sleep(0)
        await asyncio.gather(*calls)
    assert store.groups == [2, 3]


async def test_group_is_closed_after_its_first_call_has_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is closed even if calls keep coming."""
    monkeypatch.setattr(gathering, "GATHER_SECONDS_MAX", 0.01)
    store = MemoryStore()
    numbers = count()

    async def keep_coming(commit: GroupCommit) -> None:
        while len(store.groups) < 4:
            calls.append(asyncio.create_task(submit(commit, one(f"j{next(numbers)}"))))
            await asyncio.sleep(0)

    async with group_commit(store) as commit, asyncio.timeout(10):
        calls = [asyncio.create_task(submit(commit, one(name))) for name in "ab"]
        await keep_coming(commit)
        await asyncio.gather(*calls)
    assert max(store.groups) < GROUP_WORK_MAX  # closed for its age, not for its size
