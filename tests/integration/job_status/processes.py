"""Programs that a test runs in processes of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
END_SECONDS_MAX = 20.0


@contextmanager
def program(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python arguments…`; kills it at exit if it is still running."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(END_SECONDS_MAX)


@contextmanager
def celery_worker(broker: str, backend: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a real Celery worker of `celery_app`."""
    command = ("-m", "celery", "--app", "tests.integration.job_status.celery_app", "worker")
    quiet = ("--pool=solo", "--without-gossip", "--without-mingle", "--without-heartbeat")
    with program(*command, *quiet, *options, QUEUE_BROKER=broker, QUEUE_BACKEND=backend) as process:
        yield process


@contextmanager
def rq_worker(url: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a real RQ worker that executes jobs in its own process."""
    command = (
        "-m",
        "rq.cli",
        "worker",
        "--url",
        url,
        "--worker-class",
        "rq.SimpleWorker",
        "--with-scheduler",
    )
    with program(*command, *options, "default") as process:
        yield process
