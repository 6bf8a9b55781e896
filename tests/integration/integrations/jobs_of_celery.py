"""A Celery app as a user writes it, and tasks that end in every way."""

import json  # noqa: F401  # for programs that enqueue
import os
import signal
import time

from celery import Celery, Signature, Task, chain, chord, group  # noqa: F401  # for programs that enqueue
from celery.canvas import chunks  # noqa: F401  # for programs that enqueue
from celery.exceptions import Ignore, Reject
from redis import Redis

from batchprogress import Reporter
from batchprogress.integrations.best_effort import BestEffortClient  # noqa: F401  # for programs that enqueue
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
    # The messages of a killed worker are delivered again after a second, not after an hour.
    broker_transport_options={
        "visibility_timeout": 1,
        "unacked_restore_interval": 0.5,
        "unacked_restore_throttle": 1,
        # A worker that is killed while it restores such messages blocks all others for a second, not 300 s.
        "unacked_mutex_expire": 1,
    },
)
progress = CeleryProgress(
    app,
    Reporter(os.environ["TEST_PROGRESS"], spool=os.environ["TEST_SPOOL"] or None),
    report_retries="TEST_REPORT_RETRIES" in os.environ,
    skip_cancelled="TEST_SKIP_CANCELLED" in os.environ,
)


@app.task
def add(*numbers: object) -> int:
    """Succeed."""
    return len(numbers)


@app.task
def work(number: int) -> int:
    """Work a little; fail for each hundredth number."""
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
    """Fail `failures` times, then succeed."""
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
    """Reject the message for good."""
    raise Reject("no", requeue=False)


def is_first_run(task: str) -> bool:
    """Return whether a task runs for the first time."""
    return bool(Redis.from_url(os.environ["TEST_REDIS"]).set(f"first-run-{task}", 1, nx=True))


@app.task
def rejects_once() -> None:
    """Put the message back into the queue once, then succeed."""
    if is_first_run("rejects_once"):
        raise Reject("not yet", requeue=True)


@app.task(acks_late=True, acks_on_failure_or_timeout=False, time_limit=1)
def hangs_once() -> None:
    """Exceed the time limit once, which puts the message back into the queue, then succeed."""
    if is_first_run("hangs_once"):
        time.sleep(60)


@app.task(bind=True)
def replaced(self: Task) -> None:
    """Let another task replace this one."""
    self.replace(add.si(1))


@app.task(acks_late=False)
def killed() -> None:
    """Kill the pool process."""
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(acks_late=False, time_limit=1)
def hangs() -> None:
    """Exceed the time limit."""
    time.sleep(60)


@app.task(bind=True)
def waits(self: Task) -> None:
    """Wait until it is known that the batch is cancelled, which only the answer to another report says."""
    while not progress.reporter.is_cancelled(self.request.headers[BATCH_KEY]):
        time.sleep(0.01)


@app.task(bind=True)
def unreported(self: Task) -> None:
    """Succeed without a report: without its header the task belongs to no batch."""
    self.request.headers.pop(BATCH_KEY)


@app.task
def starts_others() -> None:
    """Publish tasks that do not belong to the batch."""
    group(add.s(1), fails.s()).apply_async()


@app.task(bind=True)
def replaced_by_chain(self: Task) -> None:
    """Let a chain replace this task."""
    self.replace(chain(add.si(1), add.si(2)))


@app.task(bind=True)
def replaced_by_group(self: Task) -> None:
    """Let a group replace this task."""
    self.replace(group(add.si(1), add.si(2)))


@app.task(bind=True)
def replaced_by_failing_chain(self: Task) -> None:
    """Let a chain replace this task whose first task fails."""
    self.replace(chain(fails.si(), add.si(2)))


@app.task(bind=True, autoretry_for=(ConnectionError,), default_retry_delay=0)
def replaced_after_retry(self: Task) -> None:
    """Fail once, then let a chain replace this task."""
    if self.request.retries == 0:
        raise ConnectionError
    self.replace(chain(add.si(1), add.si(2)))


@app.task(bind=True)
def replaced_by_blocking(self: Task) -> None:
    """Let a task replace this one that runs until it is terminated."""
    self.replace(blocks.si())


@app.task
def blocks() -> None:
    """Run until it is terminated."""
    Redis.from_url(os.environ["TEST_REDIS"]).incr("blocking")
    time.sleep(60)
