"""Tasks of a cancelled batch do not start."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery, Task, states
from celery.app.task import Context
from kombu.message import Message

from batchprogress._reporting.cancelled_batches import CancelledBatches
from batchprogress.integrations.celery_cancelled import is_cancelled, refuse_cancelled
from batchprogress.integrations.job_ids import BATCH_KEY, ENQUEUED_KEY

NOW = 1_000.0


def app_with(function: Callable[[], object], base: type[Task] = Task, **settings: Any) -> tuple[Celery, Any]:
    """Return an app with a task that calls a function."""
    app = Celery("unit", broker="memory://", backend="cache+memory://", set_as_current=False, **settings)

    @app.task(base=base, shared=False)  # type: ignore[untyped-decorator]
    def work() -> None:
        function()

    return app, work


def request_of(app: Celery, work: Any, task_id: str, batch_id: str, acknowledged: list[object]) -> Any:
    """Return a request as the main process of a worker has it."""
    message = app.amqp.as_task_v2(task_id, work.name)
    headers = {**message.headers, BATCH_KEY: batch_id}
    received = Message(headers=headers)  # type: ignore[no-untyped-call]

    def acknowledge(*_: object) -> None:
        acknowledged.append(received)

    return work.Request(
        received, app=app, task=work, body=message.body, headers=headers, decoded=True, on_ack=acknowledge
    )


@pytest.fixture
def task_id() -> str:
    """Return an id of its own: all apps share Celery's backend in memory."""
    return str(uuid4())


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
    batches: CancelledBatches, task_id: str, batch_id: str, events: list[str]
) -> None:
    """The hook that the task's class has is called for all others."""
    happened: list[str] = []

    class Hooked(Task):  # type: ignore[misc]  # Celery has no types
        def before_start(self, *_: object) -> None:
            happened.append("before")

    app, work = app_with(lambda: happened.append("work"), Hooked)
    refuse_cancelled(app, batches)
    work.apply(task_id=task_id, headers={BATCH_KEY: batch_id})
    assert happened == events
    assert app.AsyncResult(task_id).state == (states.PENDING if events else states.REVOKED)


@pytest.mark.parametrize(("batch_id", "is_refused"), [("running", False), ("cancelled", True)])
def test_the_main_process_revokes_a_task_before_it_reaches_the_pool(
    batches: CancelledBatches, task_id: str, batch_id: str, *, is_refused: bool
) -> None:
    """It is revoked once, however often Celery asks."""
    app, work = app_with(list)
    refuse_cancelled(app, batches)
    acknowledged: list[object] = []
    request = request_of(app, work, task_id, batch_id, acknowledged)
    assert [request.revoked(), request.revoked()] == [is_refused, is_refused]
    assert len(acknowledged) == is_refused
    assert app.AsyncResult(task_id).state == (states.REVOKED if is_refused else states.PENDING)


def test_a_task_whose_state_cannot_be_saved_is_left_to_the_pool(
    batches: CancelledBatches, task_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of the result backend would end the worker."""
    app, work = app_with(list)
    refuse_cancelled(app, batches)
    request = request_of(app, work, task_id, "cancelled", [])
    work.backend.store_result = None  # calling it raises
    assert not request.revoked()
    assert "was not revoked, only skipped" in caplog.text
