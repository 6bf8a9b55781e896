"""uvicorn with our own socket, signal handling and log, as in the other servers."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from starlette.types import ASGIApp

from process.addresses import split_address
from process.configuration import refuse

BACKLOG = 2_048
"""Connections that the kernel queues: as many viewers as reconnect at once after a restart."""
OTHER_CONNECTIONS_MAX = 2_000
"""Connections besides those of viewers: lists, and idle ones of browsers. More get a 503."""


class WebServer(uvicorn.Server):
    """Serves an application until `should_exit` is set."""

    def __init__(self, app: ASGIApp, *, viewers_max: int, drain_seconds: float) -> None:
        _log_structured()
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,  # pages ask every two seconds
                lifespan="off",
                limit_concurrency=viewers_max + OTHER_CONNECTIONS_MAX,
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=max(1, round(drain_seconds)),
                ws="none",
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process, which ends the streams before it stops this server."""
        yield


def bind(listen: str) -> socket.socket:
    """Open the port of a host:port; exit 78 if it cannot be opened."""
    host, port = split_address(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError:
        refuse(f"cannot listen on {listen}: the port is taken, or the address is not of this machine")


class _ToStructlog(logging.Handler):
    """Passes uvicorn's warnings and errors to our log."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


def _log_structured() -> None:
    logger = logging.getLogger("uvicorn")
    logger.handlers = [_ToStructlog(logging.WARNING)]
    logger.propagate = False
