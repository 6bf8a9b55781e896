"""The store: one method for each operation of the deployables on batches, one transaction each."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from batches.batch import Batch, Version
from batches.failure_groups import FailurePage
from batches.history import HistoryPoint
from batches.listing import BatchFilter, Page, ResultFilter
from batches.look import PendingPage
from batches.new_batch import NewBatch
from batches.overview import Overview
from batches.recording import Recording
from batches.repair import Repair
from batches.result import JobResult, RecordedResult, ResultSource, StoredAttempt
from batches.stall import Findings
from batches.store import (
    attempts,
    changes,
    check,
    error_details,
    failure_groups,
    failures,
    history,
    lifecycle,
    listings,
    looks,
    overview,
    recording,
    retention,
    rows,
)
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from batches.store.locking import BatchKeys
from batches.store.pass_store import PassStore
from batches.store.repair_store import RepairStore
from batches.store.repeats import Repeats
from batches.store.webhook_store import WebhookStore

Result = TypeVar("Result")

GROUP_CONFLICTS_MAX = 2
"""After so many conflicts, a group of results is recorded in smaller ones: a second one happens by chance,
but in a cluster a large group may lose against small ones for ever."""


class BatchStore(PassStore, RepairStore, WebhookStore):
    """All operations on batches.

    Every method raises DatabaseUnavailable if the database does not answer in time, and every
    method with a batch_id raises BatchNotFound if there is no such batch.

    Args:
        database: The database, already migrated; the caller closes it.

    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._keys = BatchKeys()
        self._repeats = Repeats()

    async def ping(self) -> None:
        """Check that the database answers."""
        await self._database.ping()

    async def create_batch(self, new: NewBatch) -> Batch:
        """Create a batch, or return the existing one that was created with the same numbers.

        Raises:
            BatchConflict: a batch of this id exists and was created with other numbers or another limit.
            BatchEnded: a batch of this id has ended, and if_ended is ERROR.

        """
        return await self._database.write(lambda c: lifecycle.create_batch(c, new))

    async def add_jobs(self, batch_id: str, additional_jobs: int, request_id: str) -> Batch:
        """Raise the total of an unsealed batch, once per request_id.

        Raises:
            BatchCancelled: the batch is cancelled.
            BatchSealed: the batch is sealed.
            RequestConflict: the request_id was used with another number of jobs.
            TotalTooLarge: the batch would have more jobs than the limit.

        """
        return await self._database.write(
            lambda c: lifecycle.add_jobs(c, batch_id, additional_jobs, request_id)
        )

    async def seal_batch(self, batch_id: str) -> Batch:
        """Make the total of a batch final."""
        return await self._database.write(lambda c: lifecycle.change_batch(c, batch_id, Batch.with_seal))

    async def cancel_batch(self, batch_id: str) -> Batch:
        """End a batch as CANCELLED.

        Raises:
            BatchCompleted: the batch has completed.

        """
        return await self._database.write(
            lambda c: lifecycle.change_batch(c, batch_id, Batch.with_cancellation)
        )

    async def delete_batch(self, batch_id: str) -> None:
        """Delete a batch if it exists. The rows of a large one are left to `delete_chunk`.

        Raises:
            BatchProcessing: the batch has not ended.

        """
        await self._database.write(lambda c: retention.delete_batch(c, batch_id))

    async def record_results(
        self, submitted: Sequence[JobResult], source: ResultSource, *, in_own_task: bool = True
    ) -> Recording:
        """Record results of any batches in one transaction; an error of one result is its verdict.

        Args:
            submitted: The results.
            source: Who reports them.
            in_own_task: As of `Database.write`.

        Raises:
            TransactionTooLarge: nothing was recorded; fewer results at once may be.

        """
        fingerprints = await recording.fingerprints_of(submitted)
        conflicts_max = GROUP_CONFLICTS_MAX if len(submitted) > 1 else None
        if not self._repeats.are_expected():
            with suppress(recording.AttemptsNeeded):
                recorded = await self._database.write(
                    lambda c: recording.record_new(c, submitted, source, fingerprints, self._keys),
                    conflicts_max=conflicts_max,
                    in_own_task=in_own_task,
                )
                self._repeats.note(found=False)
                return recorded
            self._repeats.note(found=True)
        return await self._database.write(
            lambda c: recording.record_results(c, submitted, source, fingerprints, self._keys, commits=True),
            conflicts_max=conflicts_max,
            in_own_task=in_own_task,
        )

    async def get_batch(self, batch_id: str) -> Batch:
        """Return a batch."""
        return await self._database.read(lambda c: rows.read_batch(c, batch_id))

    async def read_changed(self, versions: Mapping[str, Version]) -> tuple[list[Batch], list[str]]:
        """Compare known versions with the database.

        Args:
            versions: The last known version of each batch, by batch_id.

        Returns:
            The batches whose version differs, and the ids of the batches that no longer exist.

        """
        return await self._database.read(lambda c: changes.read_changed(c, versions))

    async def list_batches(
        self, selected: BatchFilter, *, before_key: int | None, size: int
    ) -> Page[Batch, int]:
        """Return a page of the selected batches, newest first, after the next_key of the page before."""
        return await self._database.read(
            partial(listings.list_batches, selected=selected, before_key=before_key, size=size)
        )

    async def count_batches(self, selected: BatchFilter) -> int | None:
        """Count the selected batches up to 10,000; None if too many others would have to be searched."""
        return await self._database.read(partial(listings.count_batches, selected=selected))

    async def list_results(
        self, batch_id: str, selected: ResultFilter, *, after_job_id: str | None, size: int
    ) -> Page[RecordedResult, str]:
        """Return a page of a batch's results, in ascending byte order of job_id.

        Args:
            batch_id: The batch.
            selected: Which results to list.
            after_job_id: The next_key of the page before; None for the first page.
            size: The maximum number of results on the page. With a fingerprint it may have fewer and still be
                followed by another page.

        """
        listing = partial(listings.list_results, selected=selected, after_job_id=after_job_id, size=size)
        return await self._read_of(batch_id, listing)

    async def get_result(self, batch_id: str, job_id: str) -> RecordedResult:
        """Return the result of a job, with the details of its error.

        Raises:
            ResultNotFound: the job has no recorded result.

        """
        return await self._read_of(
            batch_id, partial(error_details.read_result, batch_id=batch_id, job_id=job_id)
        )

    async def list_failure_groups(self, batch_id: str, *, after: int, size: int) -> FailurePage:
        """Return a page of a batch's failures in groups of similar errors, the largest group first.

        Args:
            batch_id: The batch.
            after: The number of groups on the pages before.
            size: The maximum number of groups on the page.

        """
        listing = partial(failures.list_failure_groups, batch_id=batch_id, after=after, size=size)
        return await self._database.read(listing, snapshot=True)

    async def recount_failure_groups(self, batch_id: str) -> bool:
        """Replace the counts of a batch's failure groups by those of its rows.

        Returns:
            Whether it was done: a batch with too many failures is not counted again.

        """
        return await self._database.write(lambda c: failure_groups.recount(c, batch_id))

    async def list_repairs(self, batch_id: str, *, before_key: int | None, size: int) -> Page[Repair, int]:
        """Return a page of a batch's repairs, newest first.

        Args:
            batch_id: The batch.
            before_key: The next_key of the page before; None for the first page.
            size: The maximum number of repairs on the page.

        """
        return await self._read_of(batch_id, partial(listings.list_repairs, before_key=before_key, size=size))

    async def list_pending_jobs(self, batch_id: str, *, after_job_id: str | None, size: int) -> PendingPage:
        """Return a page of the jobs that were pending in the queue when the reconciler last looked.

        Args:
            batch_id: The batch.
            after_job_id: The next_key of the page before; None for the first page.
            size: The maximum number of jobs on the page.

        """
        return await self._database.read(
            partial(looks.list_pending_jobs, batch_id=batch_id, after_job_id=after_job_id, size=size)
        )

    async def read_history(self, batch_id: str) -> list[HistoryPoint]:
        """Return how the tallies of a batch grew, in ascending order of time; empty if no point was kept."""
        return await self._database.read(lambda c: history.read_history(c, batch_id), snapshot=True)

    async def read_overview(self, stuck_after_seconds: float) -> Overview:
        """Return totals over all batches; a batch without a result for that long is stuck."""
        return await self._database.read(lambda c: overview.read_overview(c, stuck_after_seconds))

    async def read_findings(self, keys: Collection[int]) -> dict[int, Findings]:
        """Return what the reconciler found about each of the batches with these keys, by key."""
        return await self._database.read(lambda c: looks.read_findings(c, keys))

    async def read_attempts(self, batch_key: int, job_ids: Sequence[str]) -> dict[str, StoredAttempt]:
        """Return the recorded attempts of a batch's jobs, and perhaps of others of its jobs, by job_id."""
        return await self._database.read(lambda c: attempts.read_batch_attempts(c, batch_key, job_ids))

    async def check(
        self, on_counted: Callable[[int], None] = lambda _rows: None
    ) -> AsyncIterator[check.CheckedPage]:
        """Compare the counters of all batches with their rows, page by page.

        Args:
            on_counted: Receives the number of rows that were counted, several times for a large batch.

        """
        after_key = 0
        while page := await self._database.read(
            partial(check.check_page, after_key=after_key, on_counted=on_counted),
            snapshot=True,
            seconds_max=check.SNAPSHOT_SECONDS_MAX,
        ):
            yield page
            after_key = page.last_key

    async def _read_of(
        self, batch_id: str, read: Callable[[AsyncConnection, int], Awaitable[Result]]
    ) -> Result:
        """Look up the key of a batch and read with it, in one transaction."""

        async def work(connection: AsyncConnection) -> Result:
            batch = await rows.read_batch(connection, batch_id)
            return await read(connection, batch.batch_key)

        return await self._database.read(work)
