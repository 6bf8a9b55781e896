"""A Celery app as a user writes it, with the three lines, and tasks that end in every way."""

import os
import signal
import time

from celery import Celery, Task, chain, chord, group  # noqa: F401  # for who enqueues
from celery.exceptions import Ignore, Reject

from batchprogress import Reporter
from batchprogress.integrations.celery import CeleryProgress
from batchprogress.integrations.job_ids import BATCH_KEY

app = Celery(
    "jobs",
    broker=os.environ["TEST_REDIS"],
    backend=os.environ.get("TEST_RESULTS", os.environ["TEST_REDIS"]),
)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    # What a killed worker held is delivered again after a second, not after an hour.
    broker_transport_options={
        "visibility_timeout": 1,
        "unacked_restore_interval": 0.5,
        "unacked_restore_throttle": 1,
        # Who is killed while it looks for such messages keeps all others from it for so long; else 300 s.
        "unacked_mutex_expire": 1,
    },
)
progress = CeleryProgress(
    app,
    Reporter(os.environ["TEST_PROGRESS"], spool=os.environ["TEST_SPOOL"] or None),
    report_retries="TEST_REPORT_RETRIES" in os.environ,
)


@app.task
def add(*numbers: object) -> int:
    """Succeed."""
    return len(numbers)


@app.task
def work(number: int) -> int:
    """Fail each hundredth time; work a little."""
    time.sleep(0.002)
    if number % 100 == 99:
        raise ValueError(number)
    return number


@app.task(
    bind=True,
    autoretry_for=(ConnectionError,),
    default_retry_delay=int(os.environ.get("TEST_RETRY_SECONDS", "0")),
    max_retries=2,
)
def retried(self: Task, failures: int) -> None:
    """Fail so many times first."""
    if self.request.retries < failures:
        raise ConnectionError(failures)


@app.task
def fails(*_: object) -> None:
    """Fail."""
    raise KeyError("row")


@app.task
def ignores() -> None:
    """End without a result."""
    raise Ignore


@app.task
def rejects() -> None:
    """Refuse the message."""
    raise Reject("no", requeue=False)


@app.task(bind=True)
def replaced(self: Task) -> None:
    """Let another task be this one."""
    self.replace(add.si(1))


@app.task(acks_late=False)
def killed() -> None:
    """Take the pool process down."""
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(acks_late=False, time_limit=1)
def hangs() -> None:
    """Take too long."""
    time.sleep(60)


@app.task(bind=True)
def unreported(self: Task) -> None:
    """Succeed, and let nobody say so: without its header the task is of no batch."""
    self.request.headers.pop(BATCH_KEY)


@app.task
def starts_others() -> None:
    """Start tasks that are not of the batch."""
    group(add.s(1), fails.s()).apply_async()
