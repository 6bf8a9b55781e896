"""Receives the webhook of a completed batch in an ASGI or WSGI application, and sends the batch's task.

An answer above 299 makes the notifier deliver the event again later: the task is sent even if the broker or
the result backend is away for hours.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

from celery import Celery

from batchprogress import webhooks
from batchprogress._grpc.error_text import message_of
from batchprogress.errors import ClientTooOld, InvalidWebhook
from batchprogress.integrations.celery_callbacks import callback_id, callback_of

BODY_BYTES_MAX = 256 * 1024
"""Several times the largest batch, whose labels and name are bounded by the contract."""
PUBLISHING = {"max_retries": 1}
"""Few tries: the notifier waits for the answer, and delivers the event again if there was none."""
_PLAIN = "text/plain; charset=utf-8"

_log = logging.getLogger("batchprogress")


class WebhookReceiver:
    """Sends the task of `CeleryProgress.run(…, on_completed=…)` when a webhook says that the batch completed.

        receiver = WebhookReceiver(app, Path("/run/secrets/webhook").read_text())
        web.mount("/webhooks/batches", receiver.asgi)       # Starlette, FastAPI
        application = DispatcherMiddleware(site, {"/webhooks/batches": receiver.wsgi})    # Flask, any WSGI

    The task always has the same id. It is sent again if an event is delivered twice, for example because an
    answer was lost, so running it twice must do no harm. Events of batches without a task do nothing.

    Args:
        app: the app that the batch's tasks belong to.
        secret: the secret of the subscription, `whsec_…`; while it is rotated both, a line each.

    """

    def __init__(self, app: Celery, secret: str) -> None:
        self._app = app
        self._secret = secret

    async def asgi(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer a request of an ASGI server; anything but HTTP is an error of its caller."""
        if scope["type"] != "http":
            raise ValueError(f"WebhookReceiver answers HTTP requests only, not {scope['type']!r}")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await _body_of(receive)
        status, text = await asyncio.to_thread(self.answer, scope["method"], headers, body)
        await send({"type": "http.response.start", "status": status, "headers": _headers(text)})
        await send({"type": "http.response.body", "body": text.encode()})

    def wsgi(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request of a WSGI server."""
        headers = {
            name.removeprefix("HTTP_").replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        length = environ.get("CONTENT_LENGTH") or "0"
        wanted = min(int(length), BODY_BYTES_MAX + 1) if length.isdigit() else 0
        status, text = self.answer(environ["REQUEST_METHOD"], headers, environ["wsgi.input"].read(wanted))
        named = [(name.decode(), value.decode()) for name, value in _headers(text)]
        start_response(f"{status.value} {status.phrase}", named)
        return [text.encode()]

    def answer(self, method: str, headers: Mapping[str, str], body: bytes) -> tuple[HTTPStatus, str]:
        """Handle a request of any other framework.

        Args:
            method: the method of the request.
            headers: its headers, in upper or lower case.
            body: its body as it was received.

        Returns:
            The status and the text to answer.

        """
        if method != "POST":
            return HTTPStatus.METHOD_NOT_ALLOWED, "send webhooks by POST\n"
        if len(body) > BODY_BYTES_MAX:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {BODY_BYTES_MAX} bytes\n"
        try:
            event = webhooks.verify(headers, body, self._secret)
        except InvalidWebhook as error:
            return HTTPStatus.UNAUTHORIZED, f"{error}\n"
        except ClientTooOld as error:
            return HTTPStatus.NOT_IMPLEMENTED, f"{error}\n"
        return self._handled(event)

    def _handled(self, event: webhooks.WebhookEvent) -> tuple[HTTPStatus, str]:
        batch_id = event.batch.batch_id
        if event.type != webhooks.COMPLETED:
            return HTTPStatus.OK, f"nothing is sent for {event.type}\n"
        try:
            callback = callback_of(self._app, batch_id)
            if callback is None:
                return HTTPStatus.OK, f"batch {batch_id} has no task\n"
            callback.apply_async(task_id=callback_id(batch_id), retry=True, retry_policy=PUBLISHING)
        except Exception as error:  # noqa: BLE001  # of a broker or a result backend: the event comes again
            _log.warning("the task of completed batch %s was not sent: %s", batch_id, message_of(error))
            return HTTPStatus.SERVICE_UNAVAILABLE, "the task was not sent: the queue is unavailable\n"
        return HTTPStatus.OK, f"task {callback_id(batch_id)} was sent\n"


async def _body_of(receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> bytes:
    """Return the body; no more than one piece beyond the largest allowed one is read."""
    body = b""
    while len(body) <= BODY_BYTES_MAX:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body", False):
            break
    return body


def _headers(text: str) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", _PLAIN.encode()), (b"content-length", str(len(text.encode())).encode())]
