"""Observes every call: its duration, its status code, and the id that its log lines share.

A caller may choose the id of a call with `x-request-id`; an error returns the id in a
google.rpc.RequestInfo.
"""

import itertools
import re
import secrets

import grpc
import structlog

from process.logs import REQUEST_ID
from rpc.answers.error_interceptor import ObserveCall
from rpc.callers.principal import caller

REQUEST_ID_KEY = "x-request-id"
REQUEST_ID_ALLOWED = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""Long enough for a UUID or a trace id, and unable to break a log line or fill a disk."""

_PROCESS = secrets.token_hex(6)
_numbers = itertools.count(1)
"""Ids made by the server: a part of this process, then a number. A random id per call costs a microsecond."""

_log = structlog.get_logger()


class CallObserver:
    """Gives each call its id, and reports each call that is over.

    Args:
        count: gets every call that is over.
        log_calls: whether each call is logged as well.

    """

    def __init__(self, count: ObserveCall, *, log_calls: bool) -> None:
        self._count = count
        self.observe: ObserveCall = self._logged if log_calls else count
        """Reports a call."""

    def arrived(self, call: grpc.HandlerCallDetails) -> None:
        """Give a call its id."""
        REQUEST_ID.set(_request_id_of(call))

    def _logged(self, method: str, code: grpc.StatusCode, seconds: float) -> None:
        self._count(method, code, seconds)
        _log_call(method, code, seconds)


def _request_id_of(details: grpc.HandlerCallDetails) -> str:
    for key, value in details.invocation_metadata or ():
        if key == REQUEST_ID_KEY and isinstance(value, str) and REQUEST_ID_ALLOWED.fullmatch(value):
            return value
    return f"{_PROCESS}{next(_numbers):x}"


def _log_call(method: str, code: grpc.StatusCode, seconds: float) -> None:
    milliseconds = round(seconds * 1_000, 1)
    _log.info("call", method=method, code=code.name, milliseconds=milliseconds, caller=caller().name)
