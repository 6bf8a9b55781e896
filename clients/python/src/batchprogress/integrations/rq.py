"""RQ: creates a batch from many jobs in one call, and reports its jobs (see rq_worker)."""

from collections.abc import Iterable, Mapping

from rq import Queue
from rq.job import Job
from rq.queue import EnqueueData

from batchprogress.client import Client
from batchprogress.integrations.best_effort import BestEffortClient
from batchprogress.integrations.rq_jobs import enqueue, tagged
from batchprogress.integrations.rq_worker import ReportsJobs

__all__ = ["RQProgress", "ReportsJobs"]


class RQProgress:
    """Creates batches of jobs that are enqueued together.

        progress = RQProgress(Queue(connection=Redis()), Client("progress:50051"))
        progress.run("sync-2026-11", [Queue.prepare_data(sync_row, (row,)) for row in rows])

    Args:
        queue: the queue of the jobs.
        client: the server that gets the batches. The deprecated Batches works as well.
        strict: raise a failed call of the client instead of logging it; then nothing is enqueued.
        describe_arguments: report the arguments of a job with the name of its function. They may be personal
            data, which everybody then sees who may read the batch.

    """

    def __init__(
        self,
        queue: Queue,
        client: Client | BestEffortClient,
        *,
        strict: bool = False,
        describe_arguments: bool = False,
    ) -> None:
        self.batches = (
            BestEffortClient(client.connection, strict=strict) if isinstance(client, Client) else client
        )
        self._queue = queue
        self._describe_arguments = describe_arguments

    def run(  # noqa: PLR0913  # options, by keyword only
        self,
        batch_id: str,
        jobs: Iterable[EnqueueData],
        *,
        display_name: str = "",
        labels: Mapping[str, str] | None = None,
        max_failed_jobs: int | None = None,
        max_failed_percent: int | None = None,
    ) -> list[Job]:
        """Create a sealed batch of jobs and enqueue them.

        If the program is killed meanwhile, it may repeat the call: either none are enqueued, or all except
        those with `depends_on`. Like `Queue.enqueue_many`, it defers these until what they depend on has
        succeeded. In RQ the jobs are a Group with the id of the batch; their ids are also kept for the
        reconciler. Jobs without an id get one.

        Args:
            batch_id: the new batch.
            jobs: the jobs, from Queue.prepare_data.
            display_name: a name for people.
            labels: labels to find batches by.
            max_failed_jobs: how many jobs may fail: one more cancels the batch.
            max_failed_percent: instead, which share of the jobs may fail, 0 to 99.

        Returns:
            The enqueued jobs.

        Raises:
            ValueError: there are no jobs, or two have the same id; nothing is created or enqueued.
            BatchEnded: the batch exists and has ended; then nothing is enqueued.
            CallFailed: only if strict; then nothing is enqueued.

        """
        tagged_jobs = tagged(batch_id, jobs, describe_arguments=self._describe_arguments)
        self.batches.create(
            batch_id,
            len(tagged_jobs),
            display_name=display_name,
            labels=labels,
            if_ended="error",
            max_failed_jobs=max_failed_jobs,
            max_failed_percent=max_failed_percent,
        )
        return enqueue(self._queue, batch_id, tagged_jobs)

    def add(self, batch_id: str, jobs: Iterable[EnqueueData], *, part: str) -> list[Job]:
        """Add jobs to an unsealed batch and enqueue them.

        Args:
            batch_id: the batch.
            jobs: the jobs, from Queue.prepare_data.
            part: a name within the batch: a repeated call with the same name adds nothing.

        Returns:
            The enqueued jobs.

        Raises:
            ValueError: there are no jobs, or two have the same id; nothing is counted or enqueued.
            CallFailed: only if strict; then nothing is enqueued.

        """
        tagged_jobs = tagged(batch_id, jobs, part, describe_arguments=self._describe_arguments)
        self.batches.add_jobs(batch_id, len(tagged_jobs), part)
        return enqueue(self._queue, batch_id, tagged_jobs)
