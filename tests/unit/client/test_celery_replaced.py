"""What keeps the batch when a task replaces itself."""

from typing import Any

import pytest
from celery import Celery, Signature, chain, chord, group
from celery.app.task import Context

from batchprogress.integrations.celery_canvas import attempt_of, dependents_of
from batchprogress.integrations.celery_replaced import NESTING_KEY, keep_batch
from batchprogress.integrations.job_ids import ATTEMPTS_BEFORE_KEY, BATCH_KEY, ENQUEUED_KEY

app = Celery("unit", broker="memory://", set_as_current=False)
OWN = {BATCH_KEY: "b", ENQUEUED_KEY: 5.0, ATTEMPTS_BEFORE_KEY: 2}


def running() -> Context:
    """Return the request of a task in its second attempt."""
    return Context({"id": "own", "retries": 1, "headers": {BATCH_KEY: "b", ENQUEUED_KEY: 5.0}})


def task(task_id: str) -> Signature:
    return app.signature(task_id, task_id=task_id)


@pytest.mark.parametrize(
    "after",
    [
        {"chain": [task("own"), task("other")], "chord": None},
        {"chain": None, "chord": task("own")},
        {"chain": [chord(group(task("other")), task("own"), app=app)], "chord": None},
        {"chain": [chain(task("other"), task("own"), app=app)], "chord": None},
    ],
)
def test_the_last_task_of_a_chain_or_group_keeps_the_batch_of_the_task_that_it_replaces(
    after: dict[str, Any],
) -> None:
    """The other tasks get no batch."""
    headers: dict[str, Any] = {"id": "first", NESTING_KEY: 1}
    keep_batch(running(), headers, ((), {}, after))
    assert BATCH_KEY not in headers
    [kept] = dependents_of(Context(after))
    assert (kept.batch_id, kept.task_id, kept.attempt, kept.ends_replaced) == ("b", "own", 3, True)


def test_a_task_that_replaces_another_one_keeps_its_batch() -> None:
    headers: dict[str, Any] = {"id": "own", NESTING_KEY: 1}
    keep_batch(running(), headers, ((), {}, {}))
    assert headers == {"id": "own", NESTING_KEY: 1, **OWN}
    assert attempt_of(Context({"retries": 1, "headers": headers})) == 4


@pytest.mark.parametrize(
    "headers",
    [
        {"id": "own", BATCH_KEY: "b", ATTEMPTS_BEFORE_KEY: 0},  # a retry
        {"id": "other"},  # published by the task
        {"id": "other", NESTING_KEY: 0},
    ],
)
def test_other_tasks_that_a_task_publishes_do_not_change(headers: dict[str, Any]) -> None:
    before, after = dict(headers), task("own")
    keep_batch(running(), headers, ((), {}, {"chain": [after]}))
    assert headers == before
    assert "headers" not in after.options
