"""Programs that a test runs in processes of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
CELERY_APP = "tests.integration.job_status.celery_app"
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
def celery_worker(
    broker: str, backend: str, *options: str, key_prefix: str = "", app: str = CELERY_APP
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a real Celery worker of an application, by default `celery_app`."""
    command = ("-m", "celery", "--app", app, "worker")
    quiet = ("--pool=solo", "--without-gossip", "--without-mingle", "--without-heartbeat")
    variables = {"QUEUE_BROKER": broker, "QUEUE_BACKEND": backend, "QUEUE_KEY_PREFIX": key_prefix}
    with program(*command, *quiet, *options, **variables) as process:
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
