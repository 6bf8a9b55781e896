"""RQ workers as a user writes them, and jobs that end in every way."""

import os
import signal
import time

from redis import Redis
from rq import Queue, Retry, SimpleWorker, SpawnWorker, Worker, get_current_job
from rq.job import Dependency  # noqa: F401  # for programs that enqueue

from batchprogress import Client, Reporter
from batchprogress.integrations.job_ids import BATCH_KEY
from batchprogress.integrations.rq import ReportsJobs, RQProgress

connection = Redis.from_url(os.environ["TEST_REDIS"])
queue = Queue(connection=connection)
job = Queue.prepare_data


class CountedReporter(Reporter):
    """Counts the processes that start to send."""

    def start(self) -> None:
        """Count this process."""
        connection.incr("senders")
        super().start()


class ProgressWorker(ReportsJobs, Worker):
    """Forks a work-horse for each job."""

    reporter = CountedReporter(os.environ["TEST_PROGRESS"], spool=os.environ["TEST_SPOOL"] or None)
    report_retries = "TEST_REPORT_RETRIES" in os.environ
    skip_cancelled = "TEST_SKIP_CANCELLED" in os.environ


class SimpleProgressWorker(ReportsJobs, SimpleWorker):
    """Runs its jobs in its own process."""

    reporter = ProgressWorker.reporter
    skip_cancelled = ProgressWorker.skip_cancelled


class SpawnProgressWorker(ReportsJobs, SpawnWorker):
    """Spawns a work-horse for each job."""

    reporter = ProgressWorker.reporter
    skip_cancelled = ProgressWorker.skip_cancelled


progress = RQProgress(queue, Client(os.environ["TEST_PROGRESS"]))


def work() -> None:
    """Succeed."""


def waits() -> None:
    """Wait until it is known that the batch is cancelled, which only the answer to another report says."""
    current = get_current_job()
    assert current is not None
    while not ProgressWorker.reporter.is_cancelled(current.meta[BATCH_KEY]):
        time.sleep(0.01)


def retried(failures: int) -> None:
    """Fail `failures` times, then succeed; a Redis key counts the runs of this job."""
    current = get_current_job()
    assert current is not None
    if connection.incr(f"runs-{current.id}") <= failures:
        raise ConnectionError(failures)


def returns_retry(retries_max: int) -> Retry:
    """Ask for a retry every time."""
    return Retry(max=retries_max)


def killed() -> None:
    """Kill the work-horse."""
    os.kill(os.getpid(), signal.SIGKILL)


def hangs() -> None:
    """Run for long."""
    connection.set("hangs", 1)
    time.sleep(60)


def fails() -> None:
    """Fail."""
    raise KeyError("row")
