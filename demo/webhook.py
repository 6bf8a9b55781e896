"""The application that is told when the batch ends: it receives one webhook, and verifies it."""

import asyncio
import base64
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

from batchprogress import InvalidWebhook, webhooks
from demo.processes import StoryError

WAIT_SECONDS_MAX = 30.0
"""The notifier looks for events twice a second; a busy machine may take longer."""
SECRET_BYTES = 32


class Receiver:
    """Where webhooks arrive.

    Args:
        folder: For the files of the notifier: the subscription and its secret.

    """

    def __init__(self, folder: Path) -> None:
        self._secret = "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        self._loop = asyncio.get_running_loop()
        self._event: asyncio.Future[webhooks.WebhookEvent] = self._loop.create_future()
        self._server = HTTPServer(("127.0.0.1", 0), self._handler())
        self._subscriptions = folder / "subscriptions.toml"
        secret_file = folder / "webhook.secret"
        secret_file.write_text(f"{self._secret}\n")
        self._subscriptions.write_text(
            f'[[subscription]]\nname = "demo"\nurl = "http://127.0.0.1:{self._server.server_port}/"\n'
            f'secret_file = "{secret_file}"\n'
        )

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a notifier that sends to it."""
        return {
            "NOTIFIER_SUBSCRIPTIONS_FILE": str(self._subscriptions),
            "NOTIFIER_ALLOW_PRIVATE_ADDRESSES": "true",  # it listens on this machine
        }

    async def event(self) -> webhooks.WebhookEvent:
        """Wait for the first webhook.

        Raises:
            StoryError: none arrived in time.

        """
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                return await self._event
        except TimeoutError:
            raise StoryError(f"no webhook arrived within {WAIT_SECONDS_MAX:.0f} s") from None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Answer requests, in a thread, while the context is open."""
        thread = Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        secret, arrived = self._secret, self._arrived

        class Handler(BaseHTTPRequestHandler):
            timeout = WAIT_SECONDS_MAX

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                try:
                    event = webhooks.verify(dict(self.headers.items()), body, secret)
                except InvalidWebhook:
                    self.send_error(401)
                    return
                arrived(event)
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002  # the name of the base
                """Print nothing: the story tells what arrived."""

        return Handler

    def _arrived(self, event: webhooks.WebhookEvent) -> None:
        def keep() -> None:
            if not self._event.done():
                self._event.set_result(event)

        self._loop.call_soon_threadsafe(keep)
