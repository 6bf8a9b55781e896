"""Celery: the tasks of a saved group, with their results from the result backend.

A batch is a `GroupResult` saved under the batch's id: run `group(…).apply_async()` and `.save()` it, and the
group's id is the batch's id, or save any tasks with `GroupResult(batch_id, results).save()`. A job's id is
its task's id. A chain counts as its last task, a nested group as its tasks.

The tasks that `CeleryProgress.add` of our client publishes belong to the batch too. In Redis their ids are in
the set `batchprogress:jobs:<batch_id>`; in a database they are in groups whose ids start with the batch's id
and a space. Such a batch is never finished, because more tasks may be added. If `CeleryProgress.run` saves
more than a thousand tasks in a database, it splits them into the batch's own group and the groups
`<batch_id> run <n>`; such a batch can be finished.

- SUCCESS is succeeded, FAILURE failed, REVOKED skipped. Every other state is pending.
- A task without a stored result is pending: it has not run, its result has expired (`result_expires`, one day
  by default) or is ignored. Its outcome is unknown, so it is never reported as failed. An expired group is an
  unknown batch.
- A task that will be retried is pending. The attempt is 1 plus the retries if the application sets
  `result_extended`, else 1.
- Celery revokes tasks, never groups: a batch is never cancelled.
- Results must be JSON (`result_serializer`, Celery's default): pickles are never read. In Celery's own tables
  that requires Celery 5.7: older versions store pickles there.

Celery's own backend classes are not used, because they block and import the classes that a stored error
names, and the one for databases unpickles and needs another driver.

A result may be of any size: only its beginning is read. A result that cannot be read (a pickle, a damaged
one) makes its own task pending, with a problem; the tasks of a group that cannot be read are unknown, which
is a contradiction.

Cost in Redis: the counts take a STRLEN and a GET of the group, an SCARD and an SMEMBERS of the added tasks,
and a GETRANGE per task (two if its result is longer than 32 KiB). A complete listing takes the same for any
number of pages.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from batches.result import JobOutcome
from services.job_status.source import BatchCounts, BatchUnknown, JobPage, JobStatus, QueueContradiction
from services.job_status.sources.celery_states import BatchTasks
from services.job_status.sources.chunks import chunked
from services.job_status.sources.listing_cache import ListingCache

GROUP_BYTES_MAX = 32 * 1024 * 1024
"""About 600,000 tasks; in Redis they are one value. Reading 500,000 took 374 MiB, including 100 MiB of the
idle process, which is why only one batch is read at a time."""
ADDED_TASKS_MAX = 600_000
"""The same number as in a group of GROUP_BYTES_MAX."""
TASKS_PER_COUNT = 1_000
"""Results, errors included, are released before the next ones are read: a few MB at a time for any batch
size."""


class ResultBackend(Protocol):
    """The store in which an application keeps its results."""

    async def batch_tasks(self, batch_id: str) -> BatchTasks | None:
        """Return the tasks of a batch, None if the backend has no such batch."""

    async def statuses(self, task_ids: Sequence[str]) -> list[JobStatus]:
        """Return the job of each task in their order; one without a stored result is pending."""

    async def check(self) -> None:
        """Make a minimal read."""

    async def close(self) -> None:
        """Close all connections."""


class CelerySource:
    """Reads counts and jobs from a result backend."""

    def __init__(self, backend: ResultBackend) -> None:
        self._backend = backend
        self._listings = ListingCache()

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count the tasks of a batch."""
        tasks = await self._batch_tasks(batch_id)
        outcomes: Counter[JobOutcome | None] = Counter()
        for chunk in chunked(tasks.ids, TASKS_PER_COUNT):
            outcomes.update(one.outcome for one in await self._backend.statuses(chunk))
        return BatchCounts.of(outcomes, may_grow=tasks.may_grow)

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """List tasks in the order of their ids."""
        page, next_key = await self._listings.page(batch_id, after, size, self._task_ids)
        return JobPage(tuple(await self._backend.statuses(page)), next_key)

    async def check(self) -> None:
        """Make a minimal read."""
        await self._backend.check()

    async def close(self) -> None:
        """Close all connections."""
        await self._backend.close()

    async def _task_ids(self, batch_id: str) -> Sequence[str]:
        return (await self._batch_tasks(batch_id)).ids

    async def _batch_tasks(self, batch_id: str) -> BatchTasks:
        tasks = await self._backend.batch_tasks(batch_id)
        if tasks is None:
            raise BatchUnknown
        return tasks


def too_large() -> QueueContradiction:
    """Return the error for a batch whose tasks would take too much memory."""
    return QueueContradiction(f"it exceeds {GROUP_BYTES_MAX:,} bytes or {ADDED_TASKS_MAX:,} tasks")
