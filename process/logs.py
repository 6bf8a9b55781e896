"""Structured logs on standard error: readable lines on a terminal, JSON elsewhere."""

import logging
import sys
from contextvars import ContextVar

import structlog

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being handled; each line that is logged in its context carries it."""


def configure(*, level: int = logging.INFO, process: int | None = None) -> None:
    """Set up structlog for this process. Only a `__main__` calls it.

    Args:
        level: the lowest level that is logged.
        process: the number of this process among those that write to the same log, which each line then
            carries; None if it is the only one.

    """
    numbered = () if process is None else (_Numbered(process),)
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_request_id,
            *numbered,
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


class _Numbered:
    def __init__(self, process: int) -> None:
        self._process = process

    def __call__(
        self, _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event["process"] = self._process
        return event
