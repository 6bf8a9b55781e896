"""Sees each call: counts it, and gives every error the details that the contract promises."""

import time
from typing import Any

import grpc
import structlog
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.interceptor import MetadataInterceptor
from connectrpc.request import RequestContext

from rpc.answers.refusal import Refusal
from rpc.telemetry.metrics import CallMetrics
from services.gateway.contract.answers import CODES, Answer, malformed, to_answer, too_large

Context = RequestContext[Any, Any]
_GRPC_CODES = {code: grpc_code for grpc_code, code in CODES.items()}

_log = structlog.get_logger()


class CallObserver(MetadataInterceptor[float]):
    """Runs around each call of a method that the gateway has.

    Args:
        metrics: counts the calls.

    """

    def __init__(self, metrics: CallMetrics) -> None:
        self._metrics = metrics

    async def on_start(self, ctx: Context) -> float:  # noqa: ARG002  # the interface
        """Return when the call began."""
        return time.perf_counter()

    async def on_end(self, token: float, ctx: Context, error: Exception | None, /) -> None:
        """Count a call.

        Raises:
            Answer: in place of an error, with its details.

        """
        method = f"/{ctx.method.service_name}/{ctx.method.name}"
        answer = None if error is None else _documented(error, method)
        code = grpc.StatusCode.OK if answer is None else answer.grpc_code
        self._metrics.observe(method, code, time.perf_counter() - token)
        if answer is None:
            return
        if answer.retry_after is not None:
            ctx.response_headers["retry-after"] = answer.retry_after
        raise answer


def _documented(error: Exception, method: str) -> Answer:
    """Return an error with its details. connectrpc's own errors have none."""
    if isinstance(error, Answer):
        return error
    if not isinstance(error, ConnectError):
        _log.error("unexpected error", method=method, exc_info=error)
        return to_answer(Refusal(grpc.StatusCode.INTERNAL, "INTERNAL", "internal error"))
    match error.code:
        case Code.RESOURCE_EXHAUSTED:
            return too_large()
        case Code.INVALID_ARGUMENT | Code.INTERNAL | Code.UNKNOWN | Code.UNIMPLEMENTED:
            return malformed(error.message)
    return to_answer(Refusal(_GRPC_CODES[error.code], error.code.name, error.message))
