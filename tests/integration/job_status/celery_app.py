"""A Celery application as users write one; its worker runs in another process."""

import os
from collections.abc import Callable
from typing import Any

from celery import Celery, Task


def make_app(broker: str, backend: str, key_prefix: str = "") -> Celery:
    """Return the application with its tasks; with a prefix, its keys in a result backend in Redis have it."""
    app = Celery("queue", broker=broker, backend=backend, set_as_current=False)
    app.conf.update(result_extended=True, task_track_started=True, broker_connection_retry_on_startup=True)
    # A result that is collected after its Redis has ended would block its process for 20 s.
    app.conf.result_backend_transport_options = {"retry_policy": {"max_retries": 1}}
    if key_prefix:
        app.conf.result_backend_transport_options["global_keyprefix"] = key_prefix
    # Explicit names, so that the worker knows the tasks that the test sends.
    for function, options in TASKS.items():
        app.task(name=function.__name__, **options)(function)
    return app


def succeed() -> str:
    """Succeed with a return value that nobody reads."""
    return "x" * 1_000


def fail() -> None:
    """Fail permanently."""
    raise ValueError("no such row", 17)


def succeed_at_third_attempt(self: "Task[..., int]") -> int:
    """Fail twice, then succeed."""
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return int(self.request.retries)


def fail_twice(self: "Task[..., None]") -> None:
    """Fail, retry once and fail again."""
    raise self.retry(countdown=0, exc=KeyError("row"))


def succeed_without_result() -> None:
    """Succeed without storing a result."""


TASKS: dict[Callable[..., Any], dict[str, Any]] = {
    succeed: {},
    fail: {},
    succeed_at_third_attempt: {"bind": True, "max_retries": 2},
    fail_twice: {"bind": True, "max_retries": 1},
    succeed_without_result: {"ignore_result": True},
}

if "QUEUE_BROKER" in os.environ:
    app = make_app(
        os.environ["QUEUE_BROKER"], os.environ["QUEUE_BACKEND"], os.environ.get("QUEUE_KEY_PREFIX", "")
    )
