"""The port of the metrics: HTTP, Prometheus format, answered by threads of its own.

prometheus_client has a server too. It starts a thread for every connection and waits for ever for a
silent client, so that a stranger could exhaust the threads of the process. This one limits the number
of connections and the duration of each.
"""

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

STOP_POLL_SECONDS = 0.05
"""How soon the thread notices that it must stop; twenty polls per second cost nothing measurable."""
REQUEST_SECONDS_MAX = 5.0
"""A connection that takes longer is cut: a scrape takes milliseconds."""
CONNECTIONS_MAX = 16
"""A Prometheus or two, and people who look at the metrics; each occupies a thread."""


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name in the base class
        """Do not log scrapes."""


class _Server(ThreadingWSGIServer):
    """Answers each connection in a thread, up to CONNECTIONS_MAX of them."""

    def __init__(self, address: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection; close the connection if there are too many."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread could be started, so none will release it
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and cut the connection after REQUEST_SECONDS_MAX, even if a byte comes now and then."""
        cut = threading.Timer(REQUEST_SECONDS_MAX, _shut_down, [request])
        cut.daemon = True
        try:
            cut.start()
            super().process_request_thread(request, client_address)
        finally:
            cut.cancel()
            self._free.release()


class _SharedServer(_Server):
    allow_reuse_port = True


def _shut_down(connection: socket.socket) -> None:
    with suppress(OSError):  # it was closed meanwhile
        connection.shutdown(socket.SHUT_RDWR)


class MetricsPort:
    """Serves metrics until it is closed.

    Args:
        registry: the metrics.
        listen: host:port; port 0 picks a free one.
        reuse_port: whether several processes may listen on the port.

    Raises:
        SystemExit: with code 78, if the port cannot be opened.

    """

    def __init__(self, registry: CollectorRegistry, listen: str, *, reuse_port: bool = False) -> None:
        host, port = split_address(listen)
        server = _SharedServer if reuse_port else _Server
        try:
            self._server = make_server(host, port, make_wsgi_app(registry), server, _Handler)
        except OSError:
            refuse(f"cannot listen on {listen} for metrics: is the port taken?")
        self.port: int = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(STOP_POLL_SECONDS,), name="metrics", daemon=True
        )
        self._thread.start()

    async def close(self) -> None:
        """Close the port."""
        await asyncio.to_thread(self._server.shutdown)
        self._thread.join()
        self._server.server_close()
