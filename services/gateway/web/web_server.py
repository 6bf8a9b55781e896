"""uvicorn with our own socket, signal handling and log, as in the other servers."""

import asyncio
import logging
import resource
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import cast

import structlog
import uvicorn
from starlette.types import ASGIApp

from process.addresses import split_address
from process.configuration import refuse
from services.gateway.web import http_connection
from services.gateway.web.http_connection import ConnectionRules, HttpConnection
from services.gateway.web.places import Places

BACKLOG = 2_048
"""Connections that the kernel queues: as many viewers as reconnect at once after a restart."""
OTHER_CONNECTIONS_MAX = 2_000
"""Connections besides those of streams: short answers, and idle ones of clients."""
OTHER_FILES = 100
"""Open files besides connections: gRPC's, libraries, pipes."""
SEND_BUFFER_BYTES = 32 * 1024
"""What the kernel keeps for a client that does not read; it doubles this number, and would otherwise keep
megabytes. Enough for 500 KB/s to a client that is 100 ms away."""
HANDSHAKE_SECONDS_MAX = 10.0
"""How long a TLS handshake may take: as long as a request."""
CLOSE_SECONDS = 0.1
"""The interval of closing connections while the server shuts down."""
TOLD_AGAIN_SECONDS = 60.0
"""The interval of log lines with the same warning: strangers cause them."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The choices of a deployable about its web server."""

    full: ASGIApp
    """Answers a request when there are too many connections."""
    streams_max: int
    """Answers at a time that last as long as their clients want."""
    drain_seconds: float
    """How long answers may take after `should_exit` is set."""
    body_bytes_max: int = 0
    """The size of a request's body, besides some 64 KiB for the whole request."""
    request_seconds_max: float | None = None
    """How long a request may take from its first byte to its last; None: 10 s."""
    tls: ssl.SSLContext | None = None
    """None means plaintext."""


class WebServer(uvicorn.Server):
    """Serves an application until `should_exit` is set."""

    def __init__(self, app: ASGIApp, options: ServerOptions) -> None:
        _log_structured()
        self._tls = options.tls
        rules = ConnectionRules(
            Places(_connections_max(options.streams_max)),
            options.full,
            options.body_bytes_max,
            options.request_seconds_max,
        )
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,  # pages ask every two seconds
                http=cast("type[asyncio.Protocol]", partial(HttpConnection, rules=rules)),
                lifespan="off",
                log_config=None,
                proxy_headers=False,  # no answer depends on the address of a client
                server_header=False,
                timeout_keep_alive=http_connection.IDLE_SECONDS_MAX,
                timeout_graceful_shutdown=max(1, round(options.drain_seconds)),
                ws="none",
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on the sockets; uvicorn has no option for the time of a handshake."""
        loop = asyncio.get_running_loop()
        handshake_seconds_max = HANDSHAKE_SECONDS_MAX if self._tls is not None else None
        self.servers = [
            await loop.create_server(
                self._connection,
                sock=one,
                ssl=self._tls,
                ssl_handshake_timeout=handshake_seconds_max,
                backlog=BACKLOG,
            )
            for one in sockets or ()
        ]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for the answers in progress; close all other connections, late ones too."""
        closing = asyncio.create_task(self._close_connections())
        try:
            await super().shutdown(sockets)
        finally:
            closing.cancel()

    async def _close_connections(self) -> None:
        """Close connections that the kernel had queued: uvicorn, which closes once, would wait for them."""
        while True:
            for connection in tuple(self.server_state.connections):
                connection.shutdown()
            await asyncio.sleep(CLOSE_SECONDS)

    def _connection(self) -> asyncio.Protocol:
        make = cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class)
        return make(config=self.config, server_state=self.server_state, app_state={})

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process, which ends the streams before it stops this server."""
        yield


def bind(listen: str) -> socket.socket:
    """Open the port of a host:port; exit 78 if it cannot be opened."""
    host, port = split_address(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError:
        refuse(f"cannot listen on {listen}: the port is taken, or the address is not of this machine")
    # Connections inherit both. asyncio sets the second only on sockets that it opened itself; without it an
    # answer, which is written in parts, waits 40 ms for the client's acknowledgement.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _connections_max(streams_max: int) -> int:
    """Return how many connections there may be; each is an open file, so raise that limit if possible."""
    files = streams_max + OTHER_CONNECTIONS_MAX + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files:
        allowed = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        if allowed < files:
            structlog.get_logger().warning("too few open files allowed", allowed=allowed, needed=files)
        files = allowed
    return max(1, files - OTHER_FILES)


class _ToStructlog(logging.Handler):
    """Passes uvicorn's errors to our log, and each of its warnings once a minute."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._told_at: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.ERROR and self._is_repeated(record.getMessage()):
            return
        log = structlog.get_logger()
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)

    def _is_repeated(self, message: str) -> bool:
        now = time.monotonic()
        is_repeated = now - self._told_at.get(message, -TOLD_AGAIN_SECONDS) < TOLD_AGAIN_SECONDS
        if not is_repeated:
            self._told_at[message] = now
        return is_repeated


def _log_structured() -> None:
    logger = logging.getLogger("uvicorn")
    logger.handlers = [_ToStructlog()]
    logger.propagate = False
