"""How results become groups, and how every caller is answered."""

import asyncio

import pytest

from batches.errors import BatchNotFound, DatabaseUnavailable
from services.progress.backlog import RESULT_BYTES
from services.progress.errors import BacklogFull, ShuttingDown
from services.progress.group_commit import GroupCommit, Recorded
from services.progress.turns import GROUP_WORK_MAX
from tests.unit.progress.memory_store import MemoryStore, group_commit, one, several, submit

SECONDS_MAX = 10.0


async def test_results_that_arrive_during_a_commit_are_one_group() -> None:
    store = MemoryStore()
    async with group_commit(store) as commit:
        store.open.clear()
        first = asyncio.create_task(submit(commit, one("j0")))
        await store.entered.wait()
        others = [asyncio.create_task(submit(commit, one(f"j{n}"))) for n in range(1, 500)]
        await asyncio.sleep(0)
        store.open.set()
        await asyncio.gather(first, *others)
    assert store.groups == [1, 499]


async def test_call_that_is_larger_than_a_group_is_recorded_in_parts() -> None:
    """It is answered as a whole, in the order of its results."""
    store = MemoryStore()
    async with group_commit(store) as commit:
        answers = await submit(commit, several("j", GROUP_WORK_MAX + 5))
    assert store.groups == [GROUP_WORK_MAX, 5]
    assert [answer.revision for answer in answers if isinstance(answer, Recorded)] == [
        *[2] * GROUP_WORK_MAX,
        *[3] * 5,
    ]


async def test_small_call_is_recorded_before_the_rest_of_a_large_one() -> None:
    """Another caller's result is in the next group, and does not wait for the large call's results."""
    store = MemoryStore()
    async with group_commit(store) as commit:
        store.open.clear()
        large = [asyncio.create_task(submit(commit, several(name, 10_000), "A")) for name in "xy"]
        await store.entered.wait()
        small = asyncio.create_task(submit(commit, one("small"), "B"))
        await asyncio.sleep(0)
        store.open.set()
        await small
        assert store.groups[:2] == [GROUP_WORK_MAX, 1]
        await asyncio.gather(*large)
    assert store.batch.tally.succeeded == 20_001


async def test_failed_part_of_a_call_answers_the_call_and_drops_its_rest() -> None:
    """The caller sends all of it again; meanwhile the queue is free for others."""
    store = MemoryStore()
    store.failures.append(DatabaseUnavailable())
    async with group_commit(store, backlog_results_max=100_000) as commit:
        large = asyncio.create_task(submit(commit, several("large", 10_000), "A"))
        small = asyncio.create_task(submit(commit, one("small"), "A"))
        with pytest.raises(DatabaseUnavailable):
            await large
        await small
        assert commit.backlog_results == 0
    assert store.groups == [1]


async def test_one_caller_may_fill_half_of_the_backlog() -> None:
    """The other half is for other callers; a single call may be larger."""
    store = MemoryStore()
    store.open.clear()
    async with group_commit(store, backlog_results_max=10) as commit:
        calls = [asyncio.create_task(submit(commit, several("a", 4), "A"))]
        await store.entered.wait()
        with pytest.raises(BacklogFull):
            await submit(commit, several("b", 2), "A")
        calls.append(asyncio.create_task(submit(commit, several("c", 6), "B")))
        await asyncio.sleep(0)
        assert commit.backlog_results == 10
        store.open.set()
        await asyncio.gather(*calls)


async def test_answer_comes_after_the_commit() -> None:
    store = MemoryStore()
    async with group_commit(store) as commit:
        store.open.clear()
        waiting = asyncio.create_task(submit(commit, one("j")))
        await store.entered.wait()
        assert not waiting.done()
        store.open.set()
        (answer,) = await waiting
    assert isinstance(answer, Recorded)
    assert answer.revision == 2


async def test_changed_batches_are_reported_after_the_commit() -> None:
    """Only batches that the group has changed are reported."""
    changed: list[str] = []
    async with group_commit(MemoryStore(), changed) as commit:
        (answer,) = await submit(commit, one("j", batch_id="nowhere"))
        assert isinstance(answer, BatchNotFound)
        assert changed == []
        await submit(commit, one("j"))
    assert changed == ["b"]


async def test_full_backlog_refuses_whole_calls() -> None:
    """A refused call is not recorded in part; later there is room again."""
    store = MemoryStore()
    async with group_commit(store, backlog_results_max=2) as commit:
        store.open.clear()
        waiting = [asyncio.create_task(submit(commit, one(caller), caller)) for caller in "ab"]
        await store.entered.wait()
        with pytest.raises(BacklogFull):
            await submit(commit, one("k"), "c")
        store.open.set()
        await asyncio.gather(*waiting)
        await submit(commit, one("k"))
    assert store.batch.tally.succeeded == 3


async def test_waiting_requests_have_a_bounded_size() -> None:
    """A request for which there is no room is refused, also before it is decoded; one alone may be larger."""
    store = MemoryStore()
    async with group_commit(store, backlog_results_max=10) as commit:
        store.open.clear()
        waiting = asyncio.create_task(submit(commit, one("j"), request_bytes=20 * RESULT_BYTES))
        await store.entered.wait()
        with pytest.raises(BacklogFull):
            commit.require_room(1, 1)
        with pytest.raises(BacklogFull):
            await submit(commit, one("k"), "c", request_bytes=1)
        store.open.set()
        await waiting
        commit.require_room(1, 20 * RESULT_BYTES)


async def test_requests_of_one_caller_may_have_half_of_the_size() -> None:
    store = MemoryStore()
    async with group_commit(store, backlog_results_max=10) as commit:
        store.open.clear()
        waiting = asyncio.create_task(submit(commit, one("j"), "A", request_bytes=4 * RESULT_BYTES))
        await store.entered.wait()
        with pytest.raises(BacklogFull):
            await submit(commit, one("k"), "A", request_bytes=2 * RESULT_BYTES)
        other = asyncio.create_task(submit(commit, one("l"), "B", request_bytes=2 * RESULT_BYTES))
        await asyncio.sleep(0)
        store.open.set()
        await asyncio.gather(waiting, other)


async def test_failed_group_answers_every_caller() -> None:
    """Each caller gets the error, and the next group is tried."""
    store = MemoryStore()
    store.failures.append(DatabaseUnavailable())
    async with group_commit(store) as commit:
        calls = await asyncio.gather(
            *(submit(commit, one(f"j{n}")) for n in range(3)), return_exceptions=True
        )
        assert [type(call) for call in calls] == [DatabaseUnavailable] * 3
        await submit(commit, one("j"))
    assert store.batch.tally.succeeded == 1


async def test_result_that_cannot_be_recorded_fails_alone() -> None:
    """It fails its own call, not the others in its group."""
    store = MemoryStore()
    store.poison = "j1"
    async with group_commit(store) as commit:
        calls = await asyncio.gather(
            *(submit(commit, one(f"j{n}")) for n in range(4)), return_exceptions=True
        )
    assert [type(call) for call in calls] == [list, ValueError, list, list]
    assert store.batch.tally.succeeded == 3


async def test_cancelled_caller_does_not_stop_its_group() -> None:
    """Its result is recorded with those of the others."""
    store = MemoryStore()
    async with group_commit(store) as commit:
        store.open.clear()
        calls = [asyncio.create_task(submit(commit, one(f"j{n}"))) for n in range(3)]
        await store.entered.wait()
        calls[1].cancel()
        store.open.set()
        await asyncio.gather(*calls, return_exceptions=True)
    assert store.batch.tally.succeeded == 3
    assert [call.cancelled() for call in calls] == [False, True, False]


async def test_close_answers_accepted_results_and_refuses_new_ones() -> None:
    """`run` returns when all accepted results are answered."""
    store = MemoryStore()
    commit = GroupCommit(store.record, lambda _: None, backlog_results_max=100)
    running = asyncio.create_task(commit.run())
    store.open.clear()
    accepted = [asyncio.create_task(submit(commit, one(f"j{n}"))) for n in range(5)]
    await store.entered.wait()
    commit.close()
    with pytest.raises(ShuttingDown):
        async with asyncio.timeout(SECONDS_MAX):
            await submit(commit, one("late"))
    store.open.set()
    await running
    assert all(isinstance(task.result()[0], Recorded) for task in accepted)
