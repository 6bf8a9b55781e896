"""The store: one method for each thing the deployables do with batches, one transaction each."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from batches.batch import Batch, BatchState
from batches.recording import Recording
from batches.repair import Repair, RepairPlan
from batches.result import FailureGroup, JobOutcome, JobResult, RecordedResult, ResultSource, StoredAttempt
from batches.store import (
    attempts,
    changes,
    check,
    failures,
    lease,
    lifecycle,
    listings,
    overview,
    recording,
    repairs,
    retention,
    rows,
)
from batches.store.database import Database
from batches.store.lifecycle import NewBatch
from batches.store.listings import Page


class BatchStore:
    """Every method may raise DatabaseUnavailable; BatchNotFound where it takes a batch_id."""

    def __init__(self, database: Database) -> None:
        """Take the database; the caller closes it."""
        self._database = database

    async def ping(self) -> None:
        """Fail if the database does not answer."""
        await self._database.ping()

    async def create_batch(self, new: NewBatch) -> Batch:
        """Create a batch, idempotently; raises BatchConflict."""
        return await self._database.write(lambda c: lifecycle.create_batch(c, new))

    async def add_jobs(self, batch_id: str, additional_jobs: int, request_id: str) -> Batch:
        """Raise a total; raises BatchSealed, BatchCancelled, TotalTooLarge, RequestConflict."""
        return await self._database.write(
            lambda c: lifecycle.add_jobs(c, batch_id, additional_jobs, request_id)
        )

    async def seal_batch(self, batch_id: str) -> Batch:
        """Make a total final."""
        return await self._database.write(lambda c: lifecycle.change_batch(c, batch_id, Batch.with_seal))

    async def cancel_batch(self, batch_id: str) -> Batch:
        """End a batch as CANCELLED; raises BatchCompleted."""
        return await self._database.write(
            lambda c: lifecycle.change_batch(c, batch_id, Batch.with_cancellation)
        )

    async def record_results(self, submitted: Sequence[JobResult], source: ResultSource) -> Recording:
        """Record results of any batches in one transaction; what is wrong with one is its verdict."""
        kinds = await recording.kinds_of(submitted)
        return await self._database.write(lambda c: recording.record_results(c, submitted, source, kinds))

    async def get_batch(self, batch_id: str) -> Batch:
        """Return a batch."""
        return await self._database.read(lambda c: rows.read_batch(c, batch_id))

    async def read_changed(self, revisions: Mapping[str, int]) -> tuple[list[Batch], list[str]]:
        """Return the batches whose revision differs from the one given, and the ids that are gone."""
        return await self._database.read(lambda c: changes.read_changed(c, revisions))

    async def list_batches(
        self,
        *,
        state: BatchState | None,
        labels: Mapping[str, str],
        prefix: str = "",
        before_key: int | None,
        size: int,
    ) -> Page[Batch, int]:
        """Return a page of the batches whose ids begin with the prefix, newest first."""
        listing = partial(
            listings.list_batches, state=state, labels=labels, prefix=prefix, before_key=before_key, size=size
        )
        return await self._database.read(listing)

    async def list_results(
        self, batch_id: str, *, outcome: JobOutcome | None, after_job_id: str | None, size: int
    ) -> Page[RecordedResult, str]:
        """Return a page of a batch's results, by job_id."""

        async def listing(connection: AsyncConnection) -> Page[RecordedResult, str]:
            batch = await rows.read_batch(connection, batch_id)
            return await listings.list_results(
                connection, batch.batch_key, outcome=outcome, after_job_id=after_job_id, size=size
            )

        return await self._database.read(listing)

    async def list_failure_groups(self, batch_id: str) -> list[FailureGroup]:
        """Return a batch's failures in groups of errors that are alike, the largest first."""

        async def listing(connection: AsyncConnection) -> list[FailureGroup]:
            batch = await rows.read_batch(connection, batch_id)
            return await failures.list_failure_groups(connection, batch.batch_key)

        return await self._database.read(listing)

    async def list_repairs(self, batch_id: str, *, before_key: int | None, size: int) -> Page[Repair, int]:
        """Return a page of a batch's repairs, newest first."""

        async def listing(connection: AsyncConnection) -> Page[Repair, int]:
            batch = await rows.read_batch(connection, batch_id)
            return await listings.list_repairs(connection, batch.batch_key, before_key=before_key, size=size)

        return await self._database.read(listing)

    async def read_overview(self, stuck_after_seconds: float) -> overview.Overview:
        """Return how all batches are at once."""
        return await self._database.read(lambda c: overview.read_overview(c, stuck_after_seconds))

    async def list_processing(self, *, after_key: int, size: int) -> list[Batch]:
        """Return batches that have not ended, by key."""
        return await self._database.read(partial(repairs.list_processing, after_key=after_key, size=size))

    async def read_attempts(self, batch_key: int, job_ids: Sequence[str]) -> dict[str, StoredAttempt]:
        """Return what is recorded of a batch's jobs, by job_id."""
        return await self._database.read(lambda c: attempts.read_batch_attempts(c, batch_key, job_ids))

    async def write_repair(self, plan: RepairPlan) -> Batch | None:
        """Carry out a plan; None if the batch has changed since it was made."""
        kinds = await recording.kinds_of(plan.results)
        return await self._database.write(lambda c: repairs.write_repair(c, plan, kinds))

    async def acquire_lease(self, name: str, holder: str, seconds: float) -> bool:
        """Take or renew a lease; False if another holder has it."""
        return await self._database.write(lambda c: lease.acquire(c, name, holder, seconds))

    async def release_lease(self, name: str, holder: str) -> None:
        """Give a lease back."""
        await self._database.write(lambda c: lease.release(c, name, holder))

    async def forget_ended(self, retention_seconds: float) -> int:
        """Forget some batches that ended longer ago than that; return how many."""
        return await self._database.write(lambda c: retention.forget_ended(c, retention_seconds))

    async def delete_chunk(self) -> bool:
        """Delete some rows of forgotten batches; False when nothing is left."""
        return await self._database.write(retention.delete_chunk)

    async def check(self) -> AsyncIterator[check.CheckedPage]:
        """Compare the counters of all batches with their rows, page by page."""
        after_key = 0
        while page := await self._database.read(
            partial(check.check_page, after_key=after_key), snapshot=True
        ):
            yield page
            after_key = page.last_key
