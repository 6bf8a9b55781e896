"""Groups become as small as the database takes them, and grow again."""

import asyncio

import pytest

from batches.errors import DatabaseUnavailable
from services.progress.group_commit import Recorded
from services.progress.group_size import GroupSize
from services.progress.turns import GROUP_WORK_MAX, PART_WORK_MAX, TURN_WORK_MAX
from tests.unit.progress.memory_store import MemoryStore, group_commit, one, several, submit


async def test_group_that_the_database_does_not_take_is_recorded_in_smaller_ones() -> None:
    """Each result is answered once, in the order of its call."""
    store = MemoryStore()
    store.results_max = 70
    async with group_commit(store) as commit:
        answers = tuple(await submit(commit, several("j", 1_000)))  # as the caller sees them
        assert commit.backlog_results == 0
    assert len(answers) == sum(store.groups) == store.batch.tally.succeeded == 1_000
    revisions = [answer.revision for answer in answers if isinstance(answer, Recorded)]
    assert revisions == sorted(revisions)
    assert max(store.groups) <= 70


async def test_size_is_kept_for_the_next_group() -> None:
    """Otherwise every group would be refused several times first."""
    store = MemoryStore()
    store.results_max = 100
    async with group_commit(store) as commit:
        for name in "abcdefghij":
            await submit(commit, several(name, 1_000))
    assert len(store.refused) <= len(store.groups)
    assert max(store.refused[5:]) <= 4 * store.results_max


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


def test_large_calls_have_less_work_in_a_group_while_it_takes_longer_than_a_few_small_groups() -> None:
    """Small calls wait for these groups; the speed of the database is in both durations."""
    size = GroupSize()
    size.measured(0.05, PART_WORK_MAX)
    assert size.large_work_max == TURN_WORK_MAX  # nothing to compare it with
    size.measured(0.01, 0)
    for _ in range(100):
        work = size.large_work_max
        size.measured(0.01 + work * 0.00005, work)
    assert 300 <= work <= 450
    for _ in range(100):
        size.measured(1.0, PART_WORK_MAX)
    assert size.large_work_max == PART_WORK_MAX
    for _ in range(100):
        size.measured(0.005, PART_WORK_MAX)
    assert size.large_work_max == TURN_WORK_MAX


def test_groups_without_a_limit_do_not_lower_it() -> None:
    size = GroupSize()
    size.measured(0.005, 0)
    size.measured(0.06, GROUP_WORK_MAX)
    assert size.large_work_max == TURN_WORK_MAX


def test_duration_of_small_groups_is_an_average() -> None:
    """A single slow commit does not make room for large groups."""
    size = GroupSize()
    for _ in range(10):
        size.measured(0.005, 0)
    size.measured(0.05, 0)
    size.measured(0.04, TURN_WORK_MAX)
    assert size.large_work_max < TURN_WORK_MAX


async def test_group_with_large_calls_is_measured_against_small_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured: list[int] = []
    monkeypatch.setattr(GroupSize, "measured", lambda _size, _seconds, large: measured.append(large))
    async with group_commit(MemoryStore()) as commit:
        await submit(commit, one("a"))
        await submit(commit, several("b", 11))
        await submit(commit, several("c", 10))
    assert measured == [0, 11, 0]
