"""Tasks of a cancelled batch do not start."""

from typing import Any

import pytest
from celery import Celery, Task, states
from celery.app.task import Context

from batchprogress._reporting.cancelled_batches import CancelledBatches
from batchprogress.integrations.celery_cancelled import is_cancelled, refuse_cancelled
from batchprogress.integrations.job_ids import BATCH_KEY, ENQUEUED_KEY

NOW = 1_000.0


@pytest.fixture
def batches() -> CancelledBatches:
    """Return batches of which one is cancelled, as the answer at NOW has said."""
    batches = CancelledBatches(lambda: NOW)
    batches.note("cancelled", is_cancelled=True)
    return batches


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({BATCH_KEY: "cancelled", ENQUEUED_KEY: NOW - 1}, True),
        ({BATCH_KEY: "cancelled"}, True),
        ({BATCH_KEY: "cancelled", ENQUEUED_KEY: "today"}, True),
        ({BATCH_KEY: "cancelled", ENQUEUED_KEY: NOW + 1}, False),
        ({BATCH_KEY: "running", ENQUEUED_KEY: NOW - 1}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_task_that_was_enqueued_before_the_cancellation_was_known_is_cancelled(
    batches: CancelledBatches, headers: dict[str, Any] | None, *, expected: bool
) -> None:
    assert is_cancelled(Context(headers=headers), batches) is expected


@pytest.mark.parametrize(("batch_id", "events"), [("running", ["before", "work"]), ("cancelled", [])])
def test_a_refused_task_is_revoked_and_its_own_hook_is_not_called(
    batches: CancelledBatches, batch_id: str, events: list[str]
) -> None:
    """The hook that the task's class has is called for all others."""
    happened: list[str] = []

    class Hooked(Task):  # type: ignore[misc]  # Celery has no types
        def before_start(self, *_: object) -> None:
            happened.append("before")

    app = Celery("unit", broker="memory://", backend="cache+memory://", set_as_current=False)

    @app.task(base=Hooked, shared=False)  # type: ignore[untyped-decorator]
    def work() -> None:
        happened.append("work")

    refuse_cancelled(app, batches)
    work.apply(task_id="1", headers={BATCH_KEY: batch_id})
    assert happened == events
    assert app.AsyncResult("1").state == (states.PENDING if events else states.REVOKED)
