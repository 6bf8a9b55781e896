"""Repairs that come while a transaction runs are written together in the next one."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from batches.batch import Batch
from batches.errors import BatchNotFound, DatabaseUnavailable, TransactionTooLarge
from batches.repair import RepairPlan
from batches.store.batch_store import BatchStore
from reconciler.run.repair_writer import GROUP_RESULTS_MAX, RepairWriter, group_size
from tests.support.samples import BATCH, result


class Store:
    """Carries out plans as long as none of a group is bad."""

    def __init__(self, *, bad: str = "") -> None:
        self.groups: list[list[str]] = []
        self.bad = bad
        self.may_go_on = asyncio.Event()

    async def write_repairs(self, plans: Sequence[RepairPlan]) -> list[Batch | BatchNotFound | None]:
        """Write a group."""
        self.groups.append([plan.batch_id for plan in plans])
        await self.may_go_on.wait()
        if any(plan.batch_id == self.bad for plan in plans):
            raise TransactionTooLarge("conflict")
        return [await self._outcome(plan) for plan in plans]

    async def write_repair(self, plan: RepairPlan) -> Batch | None:
        """Write one plan."""
        self.groups.append([plan.batch_id])
        await self.may_go_on.wait()
        if plan.batch_id == self.bad:
            raise DatabaseUnavailable("locked")
        return replace(BATCH, batch_id=plan.batch_id)

    async def _outcome(self, plan: RepairPlan) -> Batch | BatchNotFound | None:
        if plan.batch_id == "gone":
            return BatchNotFound("gone")
        return None if plan.batch_id == "changed" else replace(BATCH, batch_id=plan.batch_id)


def plan(batch_id: str, results: int = 0) -> RepairPlan:
    """Return a plan with so many results."""
    return RepairPlan(batch_id, 1, results=(result("job"),) * results)


async def written(store: Store, *batch_ids: str) -> list[object]:
    """Write plans of batches, the first of which keeps the others waiting; return their outcomes."""
    writer = RepairWriter(cast("BatchStore", store))
    tasks = [asyncio.create_task(writer.write(plan("first")))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(writer.write(plan(one))) for one in batch_ids]
    await asyncio.sleep(0)
    store.may_go_on.set()
    return list(await asyncio.gather(*tasks, return_exceptions=True))


async def test_plans_that_wait_are_written_together() -> None:
    store = Store()
    outcomes = await written(store, "a", "b", "changed", "gone")
    assert store.groups == [["first"], ["a", "b", "changed", "gone"]]
    assert [one.batch_id for one in outcomes[:3] if isinstance(one, Batch)] == ["first", "a", "b"]
    assert outcomes[3] is None
    assert isinstance(outcomes[4], BatchNotFound)


async def test_repairs_of_a_group_that_fails_are_written_one_by_one() -> None:
    """Only the one that cannot be written fails."""
    store = Store(bad="b")
    outcomes = await written(store, "a", "b", "c")
    assert store.groups == [["first"], ["a", "b", "c"], ["a"], ["b"], ["c"]]
    assert [type(one) for one in outcomes] == [Batch, Batch, DatabaseUnavailable, Batch]


async def test_a_caller_that_is_cancelled_stops_no_other() -> None:
    store = Store()
    writer = RepairWriter(cast("BatchStore", store))
    first = asyncio.create_task(writer.write(plan("first")))
    second = asyncio.create_task(writer.write(plan("second")))
    await asyncio.sleep(0)
    second.cancel()
    store.may_go_on.set()
    assert (await first) is not None
    with pytest.raises(asyncio.CancelledError):
        await second


@pytest.mark.parametrize(
    ("plans", "size"),
    [
        ([plan("a")], 1),
        ([plan("a", GROUP_RESULTS_MAX + 1), plan("b")], 1),
        ([plan("a", GROUP_RESULTS_MAX), plan("b", 1)], 1),
        ([plan("a", GROUP_RESULTS_MAX - 1), plan("b", 1), plan("c", 1)], 2),
        ([plan("a"), plan("b"), plan("a")], 2),
    ],
    ids=["one", "too large alone", "full", "two fit", "same batch twice"],
)
def test_group_is_bounded(plans: list[RepairPlan], size: int) -> None:
    assert group_size(plans) == size
