"""python -m celery -A bench.rows.celery.app worker: an app whose tasks only return when they ran.

The tasks report to our server if the environment names one.
"""

import time
from typing import ClassVar

from celery import Celery

from batchprogress import Reporter
from batchprogress.integrations.celery import CeleryProgress
from process.settings import Settings


class WorkerSettings(Settings):
    """Environment of the Celery worker."""

    prefix: ClassVar[str] = "BENCH_CELERY_"

    redis_url: str
    progress_target: str = ""


def make_app(redis_url: str) -> Celery:
    """Return an app with the defaults of Celery, with broker and results in Redis."""
    made = Celery("bench", broker=redis_url, backend=redis_url)
    made.task(name=NOOP)(noop)
    return made


def noop() -> float:
    """Return the time on the monotonic clock, which all processes of a machine share."""
    return time.monotonic()


NOOP = "bench.noop"


def __getattr__(name: str) -> Celery:
    """Make the app when Celery's command line asks for it, so that an import needs no settings."""
    if name != "app":
        raise AttributeError(name)
    settings = WorkerSettings.from_environment()
    app = make_app(settings.redis_url)
    if settings.progress_target:
        CeleryProgress(app, Reporter(settings.progress_target))
    return app
