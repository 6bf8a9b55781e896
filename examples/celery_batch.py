"""Celery: an app with three added lines, its worker, and a progress bar.

REDIS_URL=redis://127.0.0.1:6379/0 BATCHPROGRESS_SERVER=127.0.0.1:50051 python examples/celery_batch.py
"""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

from celery import Celery, group

from batchprogress import Reporter, bar
from batchprogress.integrations.celery import CeleryProgress

redis_url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
server = os.environ.get("BATCHPROGRESS_SERVER", "127.0.0.1:50051")

app = Celery("celery_batch", broker=redis_url, backend=redis_url)
# The tasks of a killed worker run again, instead of being pending for ever.
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True)
progress = CeleryProgress(app, Reporter(server))


@app.task(name="sync_row", autoretry_for=(ConnectionError,), default_retry_delay=1)
def sync_row(row: int) -> None:
    """Do the work of one job; every twentieth fails."""
    time.sleep(0.05)
    if row % 20 == 0:
        raise ValueError(row)


def main() -> None:
    """Start a worker, publish a group of 100 tasks, and show the progress of the batch until it ends."""
    command = [
        sys.executable,
        "-m",
        "celery",
        "--quiet",
        "-A",
        "celery_batch",
        "worker",
        "-c",
        "4",
        "-l",
        "critical",
    ]
    with subprocess.Popen(command, cwd=Path(__file__).parent) as worker:
        try:
            batch_id = f"celery-{uuid.uuid4()}"
            progress.run(batch_id, group(sync_row.s(row) for row in range(100)))
            bar(server, batch_id)
        finally:
            worker.terminate()


if __name__ == "__main__":
    main()
