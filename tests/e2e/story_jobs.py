"""The 1,037 jobs that workers of Celery and RQ run; some end without a report."""

import os
from functools import cache

from celery import Celery

from batchprogress import Reporter

JOBS = 1_037
FAILING_EVERY = 50
UNREPORTED_EVERY = 103
"""Eleven jobs, whose workers end between the work and the report."""
BATCH = "story"


def run(number: int) -> None:
    """Do the work of a job, and report it."""
    error = ValueError(f"row {number}") if number % FAILING_EVERY == 0 else None
    if number % UNREPORTED_EVERY:
        job_id = f"job-{number}"
        if error:
            _reporter().failed(job_id, error)
        else:
            _reporter().succeeded(job_id)
    if error:
        raise error


@cache
def _reporter() -> Reporter:
    return Reporter(os.environ["STORY_PROGRESS"], BATCH)


def make_app(url: str) -> Celery:
    """Return the Celery application of the jobs."""
    app = Celery("story", broker=url, backend=url, set_as_current=False)
    app.conf.broker_connection_retry_on_startup = True
    app.task(name="run")(run)
    return app


if "STORY_QUEUE" in os.environ:
    app = make_app(os.environ["STORY_QUEUE"])
