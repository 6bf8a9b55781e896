"""python -m demo.worker < assignment: run concurrent workers, which do their jobs and report them.

Each does what a user's worker does: the work, then a note in the queue, then a report.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from batchprogress import AsyncReporter
from demo.job_queue import QueueWriter, queue_writer
from demo.plan import Assignment, Job


async def work_all(assignment: Assignment) -> None:
    """Run a worker for each job, all at the same time."""
    with queue_writer(Path(assignment.queue_file), assignment.batch_id) as queue:
        async with AsyncReporter(assignment.target, assignment.batch_id, strict=True) as reporter:
            await asyncio.gather(*(_work(job, queue, reporter) for job in assignment.jobs))


async def _work(job: Job, queue: QueueWriter, reporter: AsyncReporter) -> None:
    """Do a job and report it."""
    await asyncio.sleep(job.work_seconds)  # the work
    await queue.end(job)
    if job.worker_is_killed:
        os.kill(os.getpid(), signal.SIGKILL)
    if job.error_type:
        reporter.failed(job.job_id, job.error_message, error_type=job.error_type)
    else:
        reporter.succeeded(job.job_id)


if __name__ == "__main__":
    asyncio.run(work_all(Assignment.from_json(sys.stdin.buffer.read())))
