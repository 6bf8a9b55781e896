"""Structured logs on standard error: readable lines on a terminal, JSON elsewhere."""

import logging
import sys
from contextvars import ContextVar

import structlog

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being handled; each line that is logged in its context carries it."""


def configure(*, level: int = logging.INFO) -> None:
    """Set up structlog for this process. Only a `__main__` calls it, once.

    Args:
        level: the lowest level that is logged.

    """
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _add_request_id(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    if request_id := REQUEST_ID.get():
        event["request_id"] = request_id
    return event
