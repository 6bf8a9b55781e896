"""Dramatiq: a broker with three added lines, its worker, and a progress bar.

REDIS_URL=redis://127.0.0.1:6379/0 BATCHPROGRESS_SERVER=127.0.0.1:50051 python examples/dramatiq_batch.py
"""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from batchprogress import Reporter, bar
from batchprogress.integrations.dramatiq import DramatiqProgress

redis_url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
server = os.environ.get("BATCHPROGRESS_SERVER", "127.0.0.1:50051")

broker = RedisBroker(url=redis_url)
progress = DramatiqProgress(broker, Reporter(server))
dramatiq.set_broker(broker)


@dramatiq.actor(throws=ValueError)
def sync_row(row: int) -> None:
    """Do the work of one job; every twentieth fails."""
    time.sleep(0.05)
    if row % 20 == 0:
        raise ValueError(row)


def main() -> None:
    """Start a worker, send a group of 100 messages, and show the progress of the batch until it ends."""
    command = [
        sys.executable,
        "-m",
        "dramatiq",
        "dramatiq_batch",
        "--processes",
        "2",
        "--log-file",
        os.devnull,
    ]
    with subprocess.Popen(command, cwd=Path(__file__).parent) as worker:
        try:
            batch_id = f"dramatiq-{uuid.uuid4()}"
            progress.run(batch_id, dramatiq.group(sync_row.message(row) for row in range(100)))
            bar(server, batch_id)
        finally:
            worker.terminate()


if __name__ == "__main__":
    main()
