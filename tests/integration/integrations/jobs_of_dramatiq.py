"""A Dramatiq broker as a user writes it, and actors that end in every way."""

import os
import time

import dramatiq
from dramatiq import group, pipeline  # noqa: F401  # for programs that enqueue
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import CurrentMessage

from batchprogress import Reporter
from batchprogress.integrations.dramatiq import DramatiqProgress

broker = RedisBroker(url=os.environ["TEST_REDIS"], heartbeat_timeout=1_000, maintenance_chance=1_000_000)
broker.add_middleware(CurrentMessage())
progress = DramatiqProgress(
    broker,
    Reporter(os.environ["TEST_PROGRESS"], spool=os.environ["TEST_SPOOL"] or None),
    report_retries="TEST_REPORT_RETRIES" in os.environ,
    skip_cancelled="TEST_SKIP_CANCELLED" in os.environ,
)
dramatiq.set_broker(broker)


@dramatiq.actor
def work(*_: object) -> None:
    """Work a little and succeed."""
    time.sleep(0.01)


@dramatiq.actor
def waits(*_: object) -> None:
    """Wait until it is known that the batch is cancelled, which only the answer to another report says."""
    while not progress.reporter.is_cancelled("b"):
        time.sleep(0.01)


@dramatiq.actor(max_retries=2, min_backoff=1, max_backoff=1)
def retried(failures: int) -> None:
    """Fail `failures` times, then succeed."""
    message = CurrentMessage.get_current_message()
    assert message is not None
    if message.options.get("retries", 0) < failures:
        raise ConnectionError(failures)


@dramatiq.actor(max_retries=1, min_backoff=1_000, max_backoff=1_000)
def slowly_retried() -> None:
    """Fail once, then succeed."""
    message = CurrentMessage.get_current_message()
    assert message is not None
    if not message.options.get("retries"):
        raise ConnectionError


@dramatiq.actor(throws=(KeyError,))
def fails(*_: object) -> None:
    """Fail for good."""
    raise KeyError("row")


@dramatiq.actor(max_age=1)
def too_old() -> None:
    """Do nothing: the message is too old before it arrives."""


@dramatiq.actor
def starts_others() -> None:
    """Send a message that does not belong to the batch."""
    work.send()
