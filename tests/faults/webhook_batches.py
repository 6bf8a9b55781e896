"""Batches that end in every way, and some that do not end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from batches.batch import BatchState
from batches.errors import DatabaseUnavailable
from batches.look import Look
from batches.result import JobOutcome
from batches.store.batch_store import BatchStore
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.webhooks import CANCELLED, COMPLETED, RECOVERED, STUCK
from tests.faults.calling import call_until_answered
from tests.faults.workload import Workers
from tests.support.progress import Stub

NEXT_PASS_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Kind:
    """A story of a batch."""

    weight: int
    """Its share of the batches."""
    state: BatchState
    events: Sequence[str]
    """The types of its events, in their order."""


KINDS = {
    "completed": Kind(40, BatchState.COMPLETED, (COMPLETED,)),
    "empty": Kind(5, BatchState.COMPLETED, (COMPLETED,)),
    "sealed": Kind(5, BatchState.COMPLETED, (COMPLETED,)),
    "cancelled": Kind(15, BatchState.CANCELLED, (CANCELLED,)),
    "cancelled-then-reported": Kind(5, BatchState.CANCELLED, (CANCELLED,)),
    "over-its-limit": Kind(15, BatchState.CANCELLED, (CANCELLED,)),
    "recovered": Kind(5, BatchState.COMPLETED, (STUCK, RECOVERED, COMPLETED)),
    "stuck": Kind(5, BatchState.PROCESSING, (STUCK,)),
    "half-done": Kind(5, BatchState.PROCESSING, ()),
}


def kind_of(batch_id: str) -> str:
    """Return the kind of a batch, with which its id begins."""
    return batch_id.rpartition("-")[0]


@dataclass(slots=True)
class Stories:
    """Lets each batch go through its story, whatever is killed meanwhile.

    The store stands for a reconciler, which finds batches stuck and recovered.
    """

    workers: Workers
    store: BatchStore
    _reconciler: asyncio.Lock = field(default_factory=asyncio.Lock)
    """There is one reconciler at a time."""

    async def create(self, stub: Stub, batch_id: str) -> None:
        """Create a batch, unless it ends with its creation."""
        if (kind := kind_of(batch_id)) == "empty":
            return
        request = pb.CreateBatchRequest(batch_id=batch_id, total_jobs=2, sealed=kind != "sealed")
        if kind == "over-its-limit":
            request.failure_limit.jobs = 0
        await call_until_answered(stub.CreateBatch, request)

    async def end(self, stub: Stub, batch_id: str) -> None:
        """Do what is left of the story."""
        kind = kind_of(batch_id)
        if kind == "empty":
            request = pb.CreateBatchRequest(batch_id=batch_id, total_jobs=0)
            await call_until_answered(stub.CreateBatch, request)
        if kind.startswith("cancelled"):
            await call_until_answered(stub.CancelBatch, pb.CancelBatchRequest(batch_id=batch_id))
        if kind in {"stuck", "recovered"}:
            await self._find_stuck(batch_id)
        if kind == "over-its-limit":
            await self.workers.send(stub, (batch_id, "job-0"), JobOutcome.FAILED)
        if kind in {"completed", "sealed", "cancelled-then-reported", "recovered", "half-done"}:
            await self.workers.send(stub, (batch_id, "job-0"), JobOutcome.SUCCEEDED)
        if kind == "recovered":
            await self._find_recovered()
        if kind in {"completed", "sealed", "recovered"}:
            await self.workers.send(stub, (batch_id, "job-1"), JobOutcome.SUCCEEDED)
        if kind == "sealed":
            await call_until_answered(stub.SealBatch, pb.SealBatchRequest(batch_id=batch_id))

    async def _find_stuck(self, batch_id: str) -> None:
        look = Look(batch_id, "unknown", "the queue does not know it", stuck_after_seconds=0)
        await self._reconcile(lambda: self.store.record_look(look))

    async def _find_recovered(self) -> None:
        await self._reconcile(self.store.tell_recovered)

    async def _reconcile(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do some work of a pass; if the database is too busy, the next pass does it."""
        async with self._reconciler:
            while True:
                try:
                    await work()
                except DatabaseUnavailable:
                    await asyncio.sleep(NEXT_PASS_SECONDS)
                else:
                    return
