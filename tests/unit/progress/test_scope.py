"""A caller's results in flight are counted, even if its calls are cancelled."""

import asyncio
from collections.abc import Sequence

import pytest

from batches.errors import DatabaseUnavailable
from batches.result import JobResult
from rpc.callers.limits import Limits
from rpc.callers.principal import Principal, Role, set_caller
from services.progress import scope
from services.progress.errors import BacklogFull, CallerResultsFull, ShuttingDown
from services.progress.group_commit import Answer, GroupCommit, Recorded
from tests.unit.progress.memory_store import MemoryStore, group_commit, one

LIMITS = Limits(results_in_flight_max=3)
SECONDS_MAX = 10.0
"""Far longer than a call takes."""


def calls_come_from_a_worker() -> None:
    """Let the calls of the test come from a worker that may have three results in flight."""
    set_caller(Principal("worker", frozenset({Role.WORKER}), limits=LIMITS))


def nothing_in_flight(commit: GroupCommit) -> bool:
    """Return whether the limit of results is completely free."""
    return commit.backlog_results == 0


async def send(commit: GroupCommit, job_id: str) -> object:
    """Record a result; return its answer, or the error of the call."""
    async with asyncio.timeout(SECONDS_MAX):
        (outcome,) = await asyncio.gather(record(commit, one(job_id)), return_exceptions=True)
    return outcome if isinstance(outcome, BaseException) else outcome[0]


async def record(commit: GroupCommit, results: Sequence[JobResult]) -> list[Answer]:
    """Record results of the caller."""
    return await commit.record(scope.admit(len(results), commit), results)


async def test_results_of_a_cancelled_call_stay_in_flight() -> None:
    """A caller that sends and cancels is refused at its limit until its results are recorded."""
    calls_come_from_a_worker()
    store = MemoryStore()
    store.open.clear()
    async with group_commit(store) as commit:
        for number in range(3):
            call = asyncio.create_task(send(commit, f"j{number}"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])
        assert commit.backlog_results == 3
        assert isinstance(await send(commit, "one more"), CallerResultsFull)
        store.open.set()
        while commit.backlog_results:  # noqa: ASYNC110  # the backlog has no event
            await asyncio.sleep(0)
        assert isinstance(await send(commit, "one more"), Recorded)
    assert store.batch.tally.succeeded == 4
    assert nothing_in_flight(commit)


async def test_each_result_of_a_call_counts() -> None:
    """Two calls with two results each exceed a limit of three."""
    calls_come_from_a_worker()
    store = MemoryStore()
    store.open.clear()
    async with asyncio.timeout(SECONDS_MAX), group_commit(store) as commit:
        first = asyncio.create_task(record(commit, [*one("j1"), *one("j2")]))
        await store.entered.wait()
        with pytest.raises(CallerResultsFull):
            await record(commit, [*one("j3"), *one("j4")])
        store.open.set()
        assert len(await first) == 2


async def test_every_end_of_a_call_releases_its_results() -> None:
    """A full backlog, an unreachable database, a defect and a closed server."""
    calls_come_from_a_worker()
    store = MemoryStore()
    async with group_commit(store, backlog_results_max=0) as commit:
        assert isinstance(await send(commit, "j"), BacklogFull)
    assert nothing_in_flight(commit)
    async with group_commit(store) as commit:
        store.failures.append(DatabaseUnavailable())
        assert isinstance(await send(commit, "j"), DatabaseUnavailable)
        assert nothing_in_flight(commit)
        store.poison = "bad"
        answers = await asyncio.gather(*(send(commit, job_id) for job_id in ("good", "bad", "better")))
        assert [type(answer) for answer in answers] == [Recorded, ValueError, Recorded]
        assert nothing_in_flight(commit)
    assert isinstance(await send(commit, "late"), ShuttingDown)
    assert nothing_in_flight(commit)


async def test_results_in_flight_at_the_end_are_recorded_and_released() -> None:
    """The last flush records the results of cancelled calls."""
    calls_come_from_a_worker()
    store = MemoryStore()
    store.open.clear()
    async with group_commit(store) as commit:
        calls = [asyncio.create_task(send(commit, f"j{number}")) for number in range(2)]
        await store.entered.wait()
        for call in calls:
            call.cancel()
        assert not nothing_in_flight(commit)
    assert store.batch.tally.succeeded == 2
    assert nothing_in_flight(commit)


async def test_call_that_ends_before_its_results_are_recorded_releases_them() -> None:
    """It was cancelled while they were checked."""
    calls_come_from_a_worker()
    store = MemoryStore()
    async with group_commit(store) as commit:
        call = scope.admit(3, commit)
        assert not nothing_in_flight(commit)
        commit.leave(call)
        assert commit.backlog_results == 0
    assert nothing_in_flight(commit)
