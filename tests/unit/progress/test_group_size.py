"""Groups become as small as the database takes them, and grow again."""

import asyncio

import pytest

from batches.errors import DatabaseUnavailable
from services.progress.group_commit import Recorded
from services.progress.group_size import GroupSize
from services.progress.turns import GROUP_WORK_MAX
from tests.unit.progress.memory_store import MemoryStore, group_commit, one, several, submit


async def test_group_that_the_database_does_not_take_is_recorded_in_smaller_ones() -> None:
    """Each result is answered once, in the order of its call."""
    store = MemoryStore()
    store.results_max = 100
    async with group_commit(store) as commit:
        answers = tuple(await submit(commit, several("j", 1_000)))  # as the caller sees them
        assert commit.backlog_results == 0
    assert len(answers) == sum(store.groups) == store.batch.tally.succeeded == 1_000
    revisions = [answer.revision for answer in answers if isinstance(answer, Recorded)]
    assert revisions == sorted(revisions)
    assert max(store.groups) <= 100


async def test_size_is_kept_for_the_next_group() -> None:
    """Otherwise every group would be refused several times first."""
    store = MemoryStore()
    store.results_max = 100
    async with group_commit(store) as commit:
        for name in "abcdefghij":
            await submit(commit, several(name, 1_000))
    assert len(store.refused) <= len(store.groups)
    assert max(store.refused[5:]) <= 3 * store.results_max


async def test_calls_of_a_group_that_is_divided_are_answered_each() -> None:
    store = MemoryStore()
    store.results_max = 7
    async with group_commit(store) as commit:
        store.open.clear()
        calls = [asyncio.create_task(submit(commit, one(f"j{n}"), f"caller{n % 3}")) for n in range(100)]
        await store.entered.wait()
        store.open.set()
        await asyncio.gather(*calls)
        assert commit.backlog_results == 0
    assert store.batch.tally.succeeded == 100


async def test_single_result_that_is_too_large_is_refused() -> None:
    """Nothing smaller is left; the next result is recorded."""
    store = MemoryStore()
    store.results_max = 0
    async with group_commit(store) as commit:
        with pytest.raises(DatabaseUnavailable):
            await submit(commit, one("a"))
        store.results_max = 1
        await submit(commit, one("b"))
    assert store.groups == [1]


def test_size_halves_and_grows_back_to_the_full_one() -> None:
    size = GroupSize()
    size.refused(GROUP_WORK_MAX)
    assert size.work_max == GROUP_WORK_MAX // 2
    for _ in range(20):
        size.refused(size.work_max)
    assert size.work_max == 1
    groups = 0
    while size.work_max < GROUP_WORK_MAX:
        size.recorded()
        groups += 1
    assert groups <= 11
    size.recorded()
    assert size.work_max == GROUP_WORK_MAX
