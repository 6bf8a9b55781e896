"""The port that metrics are read from: HTTP, Prometheus' text format, in threads of its own."""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from process.addresses import split_address
from process.configuration import refuse

END_POLL_SECONDS = 0.05
"""How soon the thread sees that it is to end; twenty looks a second cost nothing that could be measured."""
REQUEST_SECONDS_MAX = 5.0
"""Who takes longer to ask and to read is cut: a scrape takes milliseconds."""
CONNECTIONS_MAX = 16
"""A Prometheus or two, and whoever looks by hand; each has a thread meanwhile."""


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class has it
        """Say nothing: a line for each scrape helps nobody."""


class _Server(ThreadingWSGIServer):
    """A thread for each connection, up to a number of them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        super().__init__(*args, **options)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; cut who is one too many."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread could be started, so none gives it back
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer within the time, however slowly it is asked, and make room for the next."""
        end = threading.Timer(REQUEST_SECONDS_MAX, _shut, [request])
        end.daemon = True
        try:
            end.start()
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._free.release()


class _Server6(_Server):
    address_family = socket.AF_INET6


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended meanwhile
        connection.shutdown(socket.SHUT_RDWR)


class MetricsPort:
    """Open until it is closed."""

    def __init__(self, registry: CollectorRegistry, listen: str) -> None:
        """Serve a registry on host:port; exit 78 if it cannot be opened."""
        host, port = split_address(listen)
        kind = _Server6 if ":" in host else _Server
        try:
            self._server = make_server(host, port, make_wsgi_app(registry), kind, _Handler)
        except OSError:
            refuse(f"cannot listen on {listen} for metrics: is the port taken?")
        self.port: int = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(END_POLL_SECONDS,), name="metrics", daemon=True
        )
        self._thread.start()

    async def close(self) -> None:
        """Close it."""
        await asyncio.to_thread(self._server.shutdown)
        self._thread.join()
        self._server.server_close()
