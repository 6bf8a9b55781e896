"""RQ: a worker with three added lines, and a progress bar.

REDIS_URL=redis://127.0.0.1:6379/0 BATCHPROGRESS_SERVER=127.0.0.1:50051 python examples/rq_batch.py
"""

import os
import subprocess
import sys
import uuid
from pathlib import Path

from redis import Redis
from rq import Queue, Worker

from batchprogress import Client, Reporter, bar
from batchprogress.integrations.rq import ReportsJobs, RQProgress

redis_url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
server = os.environ.get("BATCHPROGRESS_SERVER", "127.0.0.1:50051")


class ProgressWorker(ReportsJobs, Worker):
    """A worker that reports its jobs."""

    reporter = Reporter(server)


def sync_row(row: int) -> None:
    """Do the work of one job; every twentieth fails."""
    if row % 20 == 0:
        raise ValueError(row)


def main() -> None:
    """Start a worker, enqueue 40 jobs, and show the progress of the batch until it ends."""
    kind = "rq_batch.ProgressWorker"
    command = [
        sys.executable,
        "-m",
        "rq.cli",
        "worker",
        "--quiet",
        "--url",
        redis_url,
        "--worker-class",
        kind,
    ]
    with subprocess.Popen(command, cwd=Path(__file__).parent) as worker:
        try:
            progress = RQProgress(Queue(connection=Redis.from_url(redis_url)), Client(server))
            batch_id = f"rq-{uuid.uuid4()}"
            progress.run(batch_id, [Queue.prepare_data("rq_batch.sync_row", (row,)) for row in range(40)])
            bar(server, batch_id)
        finally:
            worker.terminate()


if __name__ == "__main__":
    main()
