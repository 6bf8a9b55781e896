"""python -m demo.worker < assignment: concurrent workers, each does its job and reports it.

What a worker of a user does: work, tell the queue, tell ProgressService until it answers.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from batchprogress._grpc.retry import call_until_answered
from batchprogress.v1 import progress_pb2 as pb
from demo.job_queue import QueueWriter, queue_writer
from demo.plan import Assignment, Job
from demo.progress import Progress, open_channel, progress_on


async def work_all(assignment: Assignment) -> None:
    """Run a worker for each job, all at once."""
    with queue_writer(Path(assignment.queue_file), assignment.batch_id) as queue:
        async with open_channel(assignment.target) as channel:
            progress = progress_on(channel)
            workers = (_work(job, assignment.batch_id, queue, progress) for job in assignment.jobs)
            await asyncio.gather(*workers)


async def _work(job: Job, batch_id: str, queue: QueueWriter, progress: Progress) -> None:
    """Do a job and report it."""
    await asyncio.sleep(job.work_seconds)  # the work
    await queue.end(job)
    if job.worker_is_killed:
        os.kill(os.getpid(), signal.SIGKILL)
    await call_until_answered(progress.ReportJobResult, _result(batch_id, job))


def _result(batch_id: str, job: Job) -> pb.ReportJobResultRequest:
    return pb.ReportJobResultRequest(
        batch_id=batch_id,
        job_id=job.job_id,
        outcome=pb.JOB_OUTCOME_FAILED if job.error_type else pb.JOB_OUTCOME_SUCCEEDED,
        error_type=job.error_type,
        error_message=job.error_message,
    )


if __name__ == "__main__":
    assignment = Assignment.from_json(sys.stdin.buffer.read())
    asyncio.run(work_all(assignment))
