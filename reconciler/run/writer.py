"""Carries out a plan: in the store, or only in thought."""

from dataclasses import replace
from typing import Protocol

from batches.batch import Batch
from batches.repair import RepairPlan, repair
from batches.store.batch_store import BatchStore


class Writer(Protocol):
    """Carries out plans."""

    async def write(self, batch: Batch, plan: RepairPlan) -> Batch | None:
        """Return the batch afterwards; None if it has changed since the plan was made."""


class StoreWriter:
    """Writes."""

    def __init__(self, store: BatchStore) -> None:
        """Take the store."""
        self._store = store

    async def write(self, batch: Batch, plan: RepairPlan) -> Batch | None:  # noqa: ARG002  # the store reads it anew
        """Write the repair, conditional on the plan's revision."""
        return await self._store.write_repair(plan)


class DryRun:
    """Works out by the same rules what would be written."""

    def __init__(self, store: BatchStore) -> None:
        """Take the store, to read from."""
        self._store = store

    async def write(self, batch: Batch, plan: RepairPlan) -> Batch | None:
        """Return the batch as the repair would leave it, with the revision that it still has."""
        attempts = await self._store.read_attempts(batch.batch_key, [one.job_id for one in plan.results])
        stored = {(batch.batch_key, job_id): attempt for job_id, attempt in attempts.items()}
        return replace(repair(batch, stored, plan).batches[batch.batch_id], revision=batch.revision)
