"""How results are gathered into groups and every caller is answered."""

import asyncio
from itertools import count

import pytest

from batches.errors import BatchNotFound, DatabaseUnavailable
from batches.result import JobOutcome, JobResult
from services.progress import group_commit as group_commit_module
from services.progress.errors import BacklogFull, ShuttingDown
from services.progress.group_commit import GROUP_RESULTS_MAX, GroupCommit, Recorded
from tests.unit.progress.memory_store import MemoryStore, group_commit, one


async def test_results_that_come_during_a_commit_are_one_group() -> None:
    """While a group commits the next one gathers, however many callers bring it."""
    store = MemoryStore()
    async with group_commit(store) as commit:
        store.open.clear()
        first = asyncio.create_task(commit.submit(one("j0")))
        await store.entered.wait()
        others = [asyncio.create_task(commit.submit(one(f"j{n}"))) for n in range(1, 500)]
        await asyncio.sleep(0)
        store.open.set()
        await asyncio.gather(first, *others)
    assert store.groups == [1, 499]


async def test_a_lone_call_waits_for_nobody() -> None:
    """A call after one that came alone is taken at once, whoever comes right behind it."""
    store = MemoryStore()
    async with group_commit(store) as commit:
        for number in range(3):
            await commit.submit(one(f"alone{number}"))
        first = asyncio.create_task(commit.submit(one("first")))
        for _ in range(5):  # turns of the loop, no time
            await asyncio.sleep(0)
        await asyncio.gather(first, commit.submit(one("second")))
    assert store.groups == [1, 1, 1, 1, 1]


async def test_calls_in_company_are_one_group() -> None:
    """After a group of several the next is left open while calls keep coming."""
    store = MemoryStore()
    async with group_commit(store) as commit:
        await asyncio.gather(commit.submit(one("a")), commit.submit(one("b")))
        answers = []
        for number in range(50):
            answers.append(asyncio.create_task(commit.submit(one(f"j{number}"))))
            await asyncio.sleep(0)
        await asyncio.gather(*answers)
    assert store.groups == [2, 50]


async def test_no_call_waits_long_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group is closed after a while although calls keep coming."""
    monkeypatch.setattr(group_commit_module, "GATHER_SECONDS_MAX", 0.01)
    store = MemoryStore()
    numbers = count()

    async def keep_coming(commit: GroupCommit) -> None:
        while len(store.groups) < 4:
            calls.append(asyncio.create_task(commit.submit(one(f"j{next(numbers)}"))))
            await asyncio.sleep(0)

    async with group_commit(store) as commit, asyncio.timeout(10):
        calls = [asyncio.create_task(commit.submit(one(name))) for name in "ab"]
        await keep_coming(commit)
        await asyncio.gather(*calls)
    assert max(store.groups) < GROUP_RESULTS_MAX  # taken for its age, not for its size


async def test_a_group_has_a_largest_size() -> None:
    """A group takes whole calls up to its size; one larger call is a group of its own."""
    store = MemoryStore()
    large = [JobResult("b", f"large{n}", JobOutcome.SUCCEEDED) for n in range(GROUP_RESULTS_MAX + 5)]
    async with group_commit(store) as commit:
        store.open.clear()
        first = asyncio.create_task(commit.submit(one("j")))
        await store.entered.wait()
        others = [asyncio.create_task(commit.submit(part)) for part in (one("k"), large, one("l"))]
        await asyncio.sleep(0)
        store.open.set()
        await asyncio.gather(first, *others)
    assert store.groups == [1, 1, GROUP_RESULTS_MAX + 5, 1]


async def test_no_answer_comes_before_the_commit() -> None:
    """A caller waits for as long as its group's commit does."""
    store = MemoryStore()
    async with group_commit(store) as commit:
        store.open.clear()
        waiting = asyncio.create_task(commit.submit(one("j")))
        await store.entered.wait()
        assert not waiting.done()
        store.open.set()
        (answer,) = await waiting
    assert isinstance(answer, Recorded)
    assert answer.revision == 2


async def test_changed_batches_are_told_after_the_commit() -> None:
    """The ids of the batches a group changed are told, and only theirs."""
    changed: list[str] = []
    async with group_commit(MemoryStore(), changed) as commit:
        (answer,) = await commit.submit(one("j", batch_id="nowhere"))
        assert isinstance(answer, BatchNotFound)
        assert changed == []
        await commit.submit(one("j"))
    assert changed == ["b"]


async def test_a_full_backlog_refuses_whole_calls() -> None:
    """Beyond the backlog's size a call is refused and none of it taken; afterwards there is room again."""
    store = MemoryStore()
    async with group_commit(store, backlog_results_max=2) as commit:
        store.open.clear()
        waiting = [asyncio.create_task(commit.submit(one(f"j{n}"))) for n in range(2)]
        await store.entered.wait()
        with pytest.raises(BacklogFull):
            await commit.submit(one("k"))
        store.open.set()
        await asyncio.gather(*waiting)
        await commit.submit(one("k"))
    assert store.batch.tally.succeeded == 3


async def test_a_failed_group_answers_every_caller() -> None:
    """If the database is away every caller of the group is told, and the next group is tried."""
    store = MemoryStore()
    store.failures.append(DatabaseUnavailable())
    async with group_commit(store) as commit:
        calls = await asyncio.gather(*(commit.submit(one(f"j{n}")) for n in range(3)), return_exceptions=True)
        assert [type(call) for call in calls] == [DatabaseUnavailable] * 3
        await commit.submit(one("j"))
    assert store.batch.tally.succeeded == 1


async def test_a_result_that_cannot_be_recorded_fails_alone() -> None:
    """A defect that one result provokes fails its own call and none of its neighbours'."""
    store = MemoryStore()
    store.poison = "j1"
    async with group_commit(store) as commit:
        calls = await asyncio.gather(*(commit.submit(one(f"j{n}")) for n in range(4)), return_exceptions=True)
    assert [type(call) for call in calls] == [list, ValueError, list, list]
    assert store.batch.tally.succeeded == 3


async def test_a_caller_that_gives_up_does_not_stop_its_group() -> None:
    """A cancelled caller's result is recorded with its neighbours'."""
    store = MemoryStore()
    async with group_commit(store) as commit:
        store.open.clear()
        calls = [asyncio.create_task(commit.submit(one(f"j{n}"))) for n in range(3)]
        await store.entered.wait()
        calls[1].cancel()
        store.open.set()
        await asyncio.gather(*calls, return_exceptions=True)
    assert store.batch.tally.succeeded == 3
    assert [call.cancelled() for call in calls] == [False, True, False]


async def test_closing_answers_what_was_taken_and_refuses_the_rest() -> None:
    """After close new results are refused, and `run` ends once everything taken is answered."""
    store = MemoryStore()
    commit = GroupCommit(store.record, lambda _: None, backlog_results_max=100)
    running = asyncio.create_task(commit.run())
    store.open.clear()
    taken = [asyncio.create_task(commit.submit(one(f"j{n}"))) for n in range(5)]
    await store.entered.wait()
    commit.close()
    with pytest.raises(ShuttingDown):
        await commit.submit(one("late"))
    store.open.set()
    await running
    assert all(isinstance(task.result()[0], Recorded) for task in taken)
