"""What is seen of every call: how long it took, how it ended, and an id that its log lines share.

The outermost interceptor, around the error boundary, so that it sees the answers that the
boundary makes. A caller may name its call by `x-request-id`; an error tells the id back
in a google.rpc.RequestInfo.
"""

import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

import grpc
import structlog

from process.logs import REQUEST_ID
from rpc.answers.handlers import Context, Handler, code_of, wrapped
from rpc.callers.principal import caller

REQUEST_ID_KEY = "x-request-id"
REQUEST_ID_ALLOWED = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""Room for a UUID or a trace id; nothing that could break a log line or fill a disk."""

CallEnded = Callable[[str, grpc.StatusCode, float], None]
"""Is told of each call: its method, its status code and the seconds it took."""

_PROCESS = secrets.token_hex(6)
_numbers = itertools.count(1)
"""Ids that the server makes: this process's part, then a number; a random one each costs a microsecond."""

_log = structlog.get_logger()


class CallObserver(grpc.aio.ServerInterceptor):
    """Tells of the end of every call, and gives each call its id."""

    def __init__(self, ended: CallEnded, *, log_calls: bool) -> None:
        """Take who is told, and whether each call is logged."""
        self._ended = ended
        self._log_calls = log_calls
        self._observed: dict[str, tuple[Handler, Handler]] = {}
        """By method: the handler as it was last, and what was put around it; not made anew for each call."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Wrap the handler of a method."""
        method = handler_call_details.method
        REQUEST_ID.set(_request_id_of(handler_call_details))
        handler = await continuation(handler_call_details)
        return None if handler is None else self._around(handler, method)

    def _around(self, handler: Handler, method: str) -> Handler:
        same, observed = self._observed.get(method, (None, handler))
        if same is not handler:
            observed = wrapped(handler, partial(self._until_its_end, method))
            if not handler.request_streaming:  # what refuses a call does, and is another each time
                self._observed[method] = handler, observed
        return observed

    @contextmanager
    def _until_its_end(self, method: str, context: Context) -> Iterator[None]:
        started = time.perf_counter()
        code = grpc.StatusCode.CANCELLED  # what stays if neither an answer nor a refusal is given
        try:
            yield
            code = grpc.StatusCode.OK
        except grpc.aio.AbortError:
            code = code_of(context)
            raise
        finally:
            seconds = time.perf_counter() - started
            self._ended(method, code, seconds)
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
