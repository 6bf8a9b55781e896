"""Writes the repairs of several batches in one transaction, as servers do with the results of many calls."""

import asyncio
from collections.abc import Sequence
from itertools import accumulate, takewhile

import structlog

from batches.batch import Batch
from batches.repair import RepairPlan
from batches.store.batch_store import BatchStore

GROUP_RESULTS_MAX = 10_000
"""Results of one transaction, as many as a single repair may have: well under a second."""

_log = structlog.get_logger()

_Waiting = tuple[RepairPlan, asyncio.Future[Batch | None]]


class RepairWriter:
    """Writes the plans that are handed over while a transaction runs together in the next one.

    Args:
        store: Where batches are kept.

    """

    def __init__(self, store: BatchStore) -> None:
        self._store = store
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def write(self, plan: RepairPlan) -> Batch | None:
        """Carry out a plan; a caller that is cancelled does not stop it.

        Returns:
            The batch after the repair; None, with nothing written, if it has changed since the plan was
            made, or if it has ended and the plan does not recount it.

        Raises:
            BatchNotFound: There is no such batch.
            DatabaseUnavailable: The database does not answer.

        """
        future: asyncio.Future[Batch | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((plan, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_groups())
        return await future

    async def _write_groups(self) -> None:
        while self._waiting:
            group = self._waiting[: group_size([plan for plan, _ in self._waiting])]
            del self._waiting[: len(group)]
            await self._write_group(group)

    async def _write_group(self, group: Sequence[_Waiting]) -> None:
        if len(group) > 1:
            try:
                outcomes = await self._store.write_repairs([plan for plan, _ in group])
            except Exception:  # noqa: BLE001  # perhaps because of one of them
                _log.info("repairs are written one by one", repairs=len(group))
            else:
                for (_, future), outcome in zip(group, outcomes, strict=True):
                    _settle(future, outcome)
                return
        await asyncio.gather(*(self._write_alone(plan, future) for plan, future in group))

    async def _write_alone(self, plan: RepairPlan, future: asyncio.Future[Batch | None]) -> None:
        try:
            _settle(future, await self._store.write_repair(plan))
        except Exception as error:  # noqa: BLE001  # whoever waits for this batch handles it
            _settle(future, error)


def group_size(plans: Sequence[RepairPlan]) -> int:
    """Return how many of the first plans are written together: of different batches, with a bounded size."""
    results = accumulate(len(plan.results) for plan in plans)
    fitting = sum(1 for _ in takewhile(lambda total: total <= GROUP_RESULTS_MAX, results))
    batch_ids: set[str] = set()
    for number, plan in enumerate(plans[: max(1, fitting)]):
        if plan.batch_id in batch_ids:
            return number
        batch_ids.add(plan.batch_id)
    return max(1, fitting)


def _settle(future: asyncio.Future[Batch | None], outcome: Batch | Exception | None) -> None:
    if future.done():  # its caller was cancelled
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
