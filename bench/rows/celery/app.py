"""python -m celery -A bench.rows.celery.app worker: an app whose tasks do nothing but tell when they ran.

It reports to us if it is told where; else it is Celery alone.
"""

import time

from celery import Celery
from pydantic_settings import BaseSettings, SettingsConfigDict

from batchprogress import Reporter
from batchprogress.integrations.celery import CeleryProgress


class Settings(BaseSettings):
    """What the benchmark tells the worker that it starts."""

    model_config = SettingsConfigDict(env_prefix="BENCH_CELERY_")

    redis_url: str
    progress_target: str = ""


def make_app(redis_url: str) -> Celery:
    """Return an app with Celery's defaults; broker and results are Redis."""
    made = Celery("bench", broker=redis_url, backend=redis_url)
    made.task(name=NOOP)(noop)
    return made


def noop() -> float:
    """Do nothing; return the moment, by the monotonic clock, which all processes of a machine share."""
    return time.monotonic()


NOOP = "bench.noop"


def __getattr__(name: str) -> Celery:
    """Make the worker's app when Celery's command line asks for it; who only imports needs no settings."""
    if name != "app":
        raise AttributeError(name)
    settings = Settings()  # type: ignore[call-arg]  # from the environment
    app = make_app(settings.redis_url)
    if settings.progress_target:
        CeleryProgress(app, Reporter(settings.progress_target))
    return app
