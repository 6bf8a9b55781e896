"""How many results of a caller are under way, whatever becomes of its calls."""

import asyncio

from batches.errors import BatchNotFound, DatabaseUnavailable
from rpc.answers.refusal import Refusal
from rpc.callers.limits import Limits
from rpc.callers.principal import Principal, Role, set_caller
from services.progress import scope
from services.progress.errors import BacklogFull, ShuttingDown
from services.progress.group_commit import GroupCommit, Recorded
from tests.unit.progress.memory_store import MemoryStore, group_commit, one

LIMITS = Limits(results_in_flight_max=3)
SECONDS_MAX = 10.0
"""Longer than any call of a test takes."""


def made_by(batch_prefix: str = "") -> Principal:
    """Let a worker that may have three results under way make the calls of the test."""
    worker = Principal("worker", frozenset({Role.WORKER}), batch_prefix, LIMITS)
    set_caller(worker)
    return worker


def nothing_under_way(who: Principal) -> bool:
    """Whether as many results as may be under way at all could be taken now."""
    try:
        who.usage.acquire_results(3, LIMITS)
    except Refusal:
        return False
    who.usage.release_results(3)
    return True


async def send(commit: GroupCommit, job_id: str, batch_id: str = "b") -> object:
    """Record a result; return its answer, or the error that the call ends with."""
    async with asyncio.timeout(SECONDS_MAX):
        call = scope.record_within_limits(one(job_id, batch_id), commit.submit)
        (ended,) = await asyncio.gather(call, return_exceptions=True)
    return ended if isinstance(ended, BaseException) else ended[0]


async def test_giving_up_takes_nothing_back() -> None:
    """A caller that sends and cancels is refused at its limit, until what it sent is recorded."""
    who, store = made_by(), MemoryStore()
    store.open.clear()
    async with group_commit(store) as commit:
        for number in range(3):
            call = asyncio.create_task(send(commit, f"j{number}"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])
        assert commit.backlog_results == 3
        refusal = await send(commit, "one more")
        assert isinstance(refusal, Refusal)
        assert refusal.reason == "CALLER_RESULTS"
        store.open.set()
        while commit.backlog_results:  # noqa: ASYNC110  # until the last group has answered
            await asyncio.sleep(0)
        assert isinstance(await send(commit, "one more"), Recorded)
    assert store.batch.tally.succeeded == 4
    assert nothing_under_way(who)


async def test_whatever_ends_a_call_ends_its_results() -> None:
    """Nothing is counted after a full backlog, a database that is away, a defect, a closed server."""
    who, store = made_by(), MemoryStore()
    async with group_commit(store, backlog_results_max=0) as commit:
        assert isinstance(await send(commit, "j"), BacklogFull)
    assert nothing_under_way(who)
    async with group_commit(store) as commit:
        store.failures.append(DatabaseUnavailable())
        assert isinstance(await send(commit, "j"), DatabaseUnavailable)
        assert nothing_under_way(who)
        store.poison = "bad"
        answers = await asyncio.gather(*(send(commit, job_id) for job_id in ("good", "bad", "better")))
        assert [type(answer) for answer in answers] == [Recorded, ValueError, Recorded]
        assert nothing_under_way(who)
    assert isinstance(await send(commit, "late"), ShuttingDown)
    assert nothing_under_way(who)


async def test_what_is_under_way_at_the_end_is_recorded_and_given_back() -> None:
    """Results of callers that are gone are recorded by the last flush, and counted no more."""
    who, store = made_by(), MemoryStore()
    store.open.clear()
    async with group_commit(store) as commit:
        calls = [asyncio.create_task(send(commit, f"j{number}")) for number in range(2)]
        await store.entered.wait()
        for call in calls:
            call.cancel()
        assert not nothing_under_way(who)
    assert store.batch.tally.succeeded == 2
    assert nothing_under_way(who)


async def test_results_of_foreign_batches_are_never_under_way() -> None:
    """What a caller's prefix hides is answered without the store, and takes no room."""
    who, store = made_by(batch_prefix="mine-"), MemoryStore()
    async with group_commit(store) as commit:
        assert isinstance(await send(commit, "j"), BatchNotFound)
    assert store.groups == []
    assert nothing_under_way(who)
