"""The calls of AsyncClient that change an existing batch."""

from batchprogress._calls import requests
from batchprogress._calls.async_caller import AsyncCaller
from batchprogress._calls.requests import Call
from batchprogress._calls.unsent import unsent
from batchprogress._disabled import is_disabled
from batchprogress.models import Batch


class AsyncChanges:
    """Extends, ends and deletes batches."""

    _caller: AsyncCaller

    async def add_jobs(self, batch_id: str, additional_jobs: int, request_id: str | None = None) -> Batch:
        """Add jobs to an unsealed batch.

        Args:
            batch_id: the batch.
            additional_jobs: the number of jobs to add, at least 1.
            request_id: names this addition: the same again adds nothing. None makes each call an addition.

        Returns:
            The batch with the jobs added.

        Raises:
            BatchNotFound: there is no such batch.
            BatchSealed: its total is final.
            BatchCancelled: it was cancelled.
            RequestConflict: the request_id was used with another number of jobs.

        Example:
            >>> await client.create("import", 0, sealed=False)
            >>> batch = await client.add_jobs("import", 500, request_id="page-1")
            >>> print(batch.total_jobs)
            500

        """
        return await self._write(requests.add_jobs(batch_id, additional_jobs, request_id))

    async def seal(self, batch_id: str) -> Batch:
        """Declare that no more jobs will be added: only then can the batch complete.

        Args:
            batch_id: the batch.

        Returns:
            The sealed batch; it has completed if nothing was pending.

        Raises:
            BatchNotFound: there is no such batch.

        Example:
            >>> await client.create("import", 0, sealed=False)
            >>> print((await client.seal("import")).state)
            completed

        """
        return await self._write(requests.seal(batch_id))

    async def cancel(self, batch_id: str) -> Batch:
        """Cancel a batch. Results that still arrive are counted, and their workers learn of it.

        Args:
            batch_id: the batch.

        Returns:
            The cancelled batch.

        Raises:
            BatchNotFound: there is no such batch.
            BatchCompleted: it has completed already.

        Example:
            >>> await client.create("sync-2026-11", 1037)
            >>> print((await client.cancel("sync-2026-11")).state)
            cancelled

        """
        return await self._caller.answer(requests.cancel(batch_id))

    async def delete(self, batch_id: str) -> None:
        """Delete a batch that has ended, with its results and everything else that is kept of it.

        It does not exist from then on, and its id is free. A batch that does not exist is not an error. Let
        its workers finish first if you use the id again: a late report would count in the new batch.

        Args:
            batch_id: the batch.

        Raises:
            BatchProcessing: it has not ended; cancel it first.

        Example:
            >>> await client.create("sync-2026-11", 0)
            >>> await client.delete("sync-2026-11")

        """
        await self._caller.answer(requests.delete(batch_id))

    async def _write(self, call: Call[Batch]) -> Batch:
        """Return the answer to CreateBatch, AddJobs or SealBatch, which are not sent if reporting is off."""
        return unsent(call) if is_disabled() else await self._caller.answer(call)
