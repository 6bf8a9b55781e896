"""A Celery application as its users write one; its worker runs in a process of its own."""

import os
from collections.abc import Callable
from typing import Any

from celery import Celery, Task


def make_app(broker: str, backend: str) -> Celery:
    """Return the application with its tasks."""
    app = Celery("queue", broker=broker, backend=backend, set_as_current=False)
    app.conf.update(result_extended=True, task_track_started=True, broker_connection_retry_on_startup=True)
    # By their full names, so that the worker's app has the tasks that the test's app sends.
    for function, options in TASKS.items():
        app.task(name=function.__name__, **options)(function)
    return app


def well() -> str:
    """Succeed, and return something that nobody reads."""
    return "x" * 1_000


def badly() -> None:
    """Fail for good."""
    raise ValueError("no such row", 17)


def at_the_third_try(self: "Task[..., int]") -> int:
    """Fail twice, then succeed."""
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return int(self.request.retries)


def never(self: "Task[..., None]") -> None:
    """Fail, and fail again."""
    raise self.retry(countdown=0, exc=KeyError("row"))


def untold() -> None:
    """Succeed without keeping a result."""


TASKS: dict[Callable[..., Any], dict[str, Any]] = {
    well: {},
    badly: {},
    at_the_third_try: {"bind": True, "max_retries": 2},
    never: {"bind": True, "max_retries": 1},
    untold: {"ignore_result": True},
}

if "QUEUE_BROKER" in os.environ:
    app = make_app(os.environ["QUEUE_BROKER"], os.environ["QUEUE_BACKEND"])
