"""Observes every call: its duration, its status code, and the id that its log lines share.

This interceptor is the outermost: it sees the answers that the error interceptor makes. A
caller may choose the id of a call with `x-request-id`; an error returns the id in a
google.rpc.RequestInfo.
"""

import itertools
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
import structlog

from process.logs import REQUEST_ID
from rpc.answers.handlers import AroundCalls, Context, Continuation, Handler, code_of
from rpc.callers.principal import caller

REQUEST_ID_KEY = "x-request-id"
REQUEST_ID_ALLOWED = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""Long enough for a UUID or a trace id, and unable to break a log line or fill a disk."""

ObserveCall = Callable[[str, grpc.StatusCode, float], None]
"""Gets the method, the status code and the seconds of each call that is over."""

_PROCESS = secrets.token_hex(6)
_numbers = itertools.count(1)
"""Ids made by the server: a part of this process, then a number. A random id per call costs a microsecond."""

_log = structlog.get_logger()


class CallObserver(AroundCalls):
    """Gives each call its id, and reports each call that is over.

    Args:
        observe: gets every call that is over.
        log_calls: whether each call is logged as well.

    """

    def __init__(self, observe: ObserveCall, *, log_calls: bool) -> None:
        super().__init__(self._observed)
        self._observe = observe
        self._log_calls = log_calls

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Give the call its id, and wrap the handler of its method."""
        REQUEST_ID.set(_request_id_of(handler_call_details))
        return await super().intercept_service(continuation, handler_call_details)

    @contextmanager
    def _observed(self, method: str, context: Context) -> Iterator[None]:
        started = time.perf_counter()
        code = grpc.StatusCode.CANCELLED  # unless the call is answered or refused
        try:
            yield
            code = code_of(context)
        finally:
            seconds = time.perf_counter() - started
            self._observe(method, code, seconds)
            if self._log_calls:
                _log_call(method, code, seconds)


def _request_id_of(details: grpc.HandlerCallDetails) -> str:
    for key, value in details.invocation_metadata or ():
        if key == REQUEST_ID_KEY and isinstance(value, str) and REQUEST_ID_ALLOWED.fullmatch(value):
            return value
    return f"{_PROCESS}{next(_numbers):x}"


def _log_call(method: str, code: grpc.StatusCode, seconds: float) -> None:
    milliseconds = round(seconds * 1_000, 1)
    _log.info("call", method=method, code=code.name, milliseconds=milliseconds, caller=caller().name)
