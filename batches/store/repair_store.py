"""The part of the store that the reconciler uses: it finds batches, repairs them, and deletes old ones."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial

from batches.batch import Batch
from batches.errors import BatchNotFound
from batches.look import Look
from batches.repair import RepairPlan
from batches.store import deletion, looks, recording, repairs, retention
from batches.store.database import Database


class RepairStore:
    """The operations of the reconciler on batches, one transaction each.

    Args:
        database: The database, already migrated; the caller closes it.

    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_stuck(self, stuck_after_seconds: float) -> list[int]:
        """Return the keys of the batches without a result for that long, in the order of their last look.

        Batches that were never looked at are first. Read them with `read_batches`, some at a time.
        """
        return await self._database.read(lambda c: repairs.list_stuck(c, stuck_after_seconds))

    async def list_counted_failures(self, ended_within_seconds: float) -> list[int]:
        """Return the keys of the batches that ended within that time with failures without rows."""
        return await self._database.read(lambda c: repairs.list_counted_failures(c, ended_within_seconds))

    async def read_batches(self, keys: Collection[int]) -> list[Batch]:
        """Return the batches with these keys that still exist, in no particular order."""
        return await self._database.read(lambda c: repairs.read_batches(c, keys))

    async def record_look(self, look: Look) -> None:
        """Keep a look of the reconciler at a batch in place of the one before, unless the batch has ended."""
        await self._database.write(lambda c: looks.record_look(c, look))

    async def write_repair(self, plan: RepairPlan) -> Batch | None:
        """Carry out a plan.

        Returns:
            The batch after the repair; None, with nothing written, if it has changed since the plan
            was made, or if it has ended and the plan does not recount it.

        """
        (outcome,) = await self.write_repairs([plan])
        if isinstance(outcome, BatchNotFound):
            raise outcome
        return outcome

    async def write_repairs(self, plans: Sequence[RepairPlan]) -> list[repairs.RepairOutcome]:
        """Carry out plans for different batches in one transaction.

        Returns:
            For each plan what `write_repair` returns or raises.

        Raises:
            TransactionTooLarge: nothing was written; each plan alone may be.

        """
        results = [one for plan in plans for one in plan.results]
        fingerprints = await recording.fingerprints_of(results)
        return await self._database.write(
            lambda c: repairs.write_repairs(c, plans, fingerprints),
            conflicts_max=0 if len(plans) > 1 else None,
        )

    async def purge_ended(self, ended_before: datetime) -> int:
        """Purge some batches that ended before that time; return their number."""
        return await self._database.write(lambda c: retention.purge_ended(c, ended_before))

    async def delete_chunk(self, rows_max: int = deletion.CHUNK_ROWS, from_key: int = 0) -> int | None:
        """Delete some rows of purged batches whose keys begin at one; return the key at which to go on.

        None if there are no such batches.
        """
        return await self._database.write(
            partial(deletion.delete_chunk, rows_max=rows_max, from_key=from_key)
        )
