"""The task of a completed batch is kept by Celery's result backend and sent by the receiver of webhooks."""

import asyncio
import io
import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery, Signature, chain

from batchprogress import webhooks
from batchprogress.integrations.celery import WebhookReceiver
from batchprogress.integrations.celery_callbacks import callback_id, callback_of, keep_callback
from batchprogress.integrations.celery_webhooks import BODY_BYTES_MAX
from tests.unit.client.test_webhooks import EVENT, SECRET, signed


@pytest.fixture(params=["cache+memory://", "db+sqlite:///{folder}/results.db"], ids=["key-value", "database"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Celery]:
    """Return an app with a broker of its own in this process."""
    app = Celery(broker="memory://", backend=request.param.format(folder=tmp_path))
    app.conf.task_default_queue = f"queue-{uuid4()}"  # the memory broker is shared by all apps
    with app:
        yield app


def task(app: Celery, *arguments: object) -> Signature:
    """Return a task that no test runs."""
    return Signature("report.send", args=arguments, app=app)


def sent(app: Celery) -> list[tuple[str, str]]:
    """Return the name and id of each task that was sent."""
    found: list[tuple[str, str]] = []
    with (
        app.connection_for_read() as connection,
        connection.SimpleQueue(app.conf.task_default_queue) as queue,
    ):
        while True:
            try:
                headers = queue.get(block=False).headers
            except Empty:
                return found
            found.append((headers["task"], headers["id"]))


def body_of(batch_id: str, kind: str = webhooks.COMPLETED) -> str:
    """Return the body of a webhook about a completed batch."""
    return event_body({"batchId": batch_id, "state": "BATCH_STATE_COMPLETED"}, kind)


def event_body(batch: Mapping[str, object], kind: str = webhooks.COMPLETED) -> str:
    """Return the body of a webhook about a batch, given in ProtoJSON."""
    return json.dumps({**EVENT, "type": kind, "data": {"batch": batch}})


def answer(app: Celery, body: str, *, secret: str = SECRET, method: str = "POST") -> HTTPStatus:
    """Give a webhook to a receiver; return the status of its answer."""
    return WebhookReceiver(app, SECRET).answer(method, signed(body, secret), body.encode())[0]


def test_task_is_sent_with_the_same_id_each_time_its_batch_is_said_to_be_completed(app: Celery) -> None:
    keep_callback(app, "b", task(app, 1))
    assert [answer(app, body_of("b")) for _ in range(2)] == [HTTPStatus.OK] * 2
    assert sent(app) == [("report.send", callback_id("b"))] * 2


def test_last_task_of_a_chain_has_the_id(app: Celery) -> None:
    keep_callback(app, "b", chain(task(app), Signature("archive", app=app)))
    assert answer(app, body_of("b")) is HTTPStatus.OK
    assert [name for name, _ in sent(app)] == ["report.send"]
    kept = callback_of(app, "b")
    assert kept is not None
    assert kept.apply_async(task_id=callback_id("b")).id == callback_id("b")


def test_task_of_another_batch_is_not_sent(app: Celery) -> None:
    for batch_id in ("ONE", "one.", "on_completed", "one_"):
        keep_callback(app, batch_id, task(app))
    assert answer(app, body_of("one")) is HTTPStatus.OK
    assert sent(app) == []


def test_later_task_replaces_an_earlier_one(app: Celery) -> None:
    keep_callback(app, "b", task(app, 1))
    keep_callback(app, "b", task(app, 2))
    kept = callback_of(app, "b")
    assert kept is not None
    assert list(kept.args) == [2]


@pytest.mark.parametrize("kind", ["batch.cancelled", "batch.stuck", "batch.recovered", "batch.new"])
def test_other_events_send_nothing(app: Celery, kind: str) -> None:
    keep_callback(app, "b", task(app))
    assert answer(app, body_of("b", kind)) is HTTPStatus.OK
    assert sent(app) == []


def test_request_that_is_not_signed_sends_nothing(app: Celery) -> None:
    keep_callback(app, "b", task(app))
    other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    assert answer(app, body_of("b"), secret=other) is HTTPStatus.UNAUTHORIZED
    assert answer(app, body_of("b"), method="GET") is HTTPStatus.METHOD_NOT_ALLOWED
    assert sent(app) == []


def test_task_that_cannot_be_sent_is_asked_for_again(app: Celery) -> None:
    keep_callback(app, "b", task(app))
    app.conf.update(broker_url="redis://127.0.0.1:1/0", task_publish_retry=False)
    assert answer(app, body_of("b")) is HTTPStatus.SERVICE_UNAVAILABLE


def test_backend_that_keeps_nothing_is_refused() -> None:
    app = Celery(broker="memory://")
    with pytest.raises(ValueError, match="cannot keep on_completed"):
        keep_callback(app, "b", task(app))


@pytest.mark.parametrize(("padding", "status"), [(0, 200), (BODY_BYTES_MAX, 413)])
def test_wsgi_and_asgi_answer_alike(app: Celery, padding: int, status: int) -> None:
    """A body that is too large is not read to its end."""
    keep_callback(app, "b", task(app))
    body = body_of("b") + " " * padding
    receiver, headers = WebhookReceiver(app, SECRET), signed(body)
    assert by_wsgi(receiver, headers, body.encode()) == status
    assert asyncio.run(by_asgi(receiver, headers, body.encode())) == status
    assert len(sent(app)) == (2 if status == HTTPStatus.OK else 0)


def by_wsgi(receiver: WebhookReceiver, headers: dict[str, str], body: bytes) -> int:
    """Give a webhook to the WSGI side; return the status."""
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    stream = io.BytesIO(body)
    given = {**environ, "REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(body)), "wsgi.input": stream}
    started: list[str] = []
    list(receiver.wsgi(given, lambda status, _headers: started.append(status)))
    assert stream.tell() <= BODY_BYTES_MAX + 1
    return int(started[0].split()[0])


async def by_asgi(receiver: WebhookReceiver, headers: dict[str, str], body: bytes) -> int:
    """Give a webhook to the ASGI side in pieces; return the status."""
    pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]
    answered: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await receiver.asgi({"type": "http", "method": "POST", "headers": encoded}, receive, send)
    return int(answered[0]["status"])
