"""GET /v1/batch, /v1/batch/history and /v1/batches: reads for clients that know nothing but HTTP and JSON."""

import time
from collections.abc import Mapping
from types import MappingProxyType

import grpc
import structlog
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from rpc.answers.refusal import Refusal
from rpc.telemetry.metrics import CallMetrics
from services.gateway.contract.answers import Answer, to_answer
from services.gateway.contract.forwarding import Forwarder
from services.gateway.contract.json_answers import send_error, send_not_allowed, send_whole
from services.gateway.contract.methods import Method, method_named
from services.gateway.reads.query import to_request

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "/v1/batch": method_named("GetBatch"),
        "/v1/batch/history": method_named("GetBatchHistory"),
        "/v1/batches": method_named("ListBatches"),
    }
)
"""The methods by the paths at which they are read."""
OK = 200

_log = structlog.get_logger()


class Reads:
    """Answers the paths of METHODS with the response of the method as ProtoJSON.

    Args:
        forwarder: makes the calls.
        metrics: counts them.

    """

    def __init__(self, forwarder: Forwarder, metrics: CallMetrics) -> None:
        self._forwarder = forwarder
        self._metrics = metrics

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["method"] != "GET":
            await send_not_allowed(send)
            return
        method = METHODS[scope["path"]]
        began = time.perf_counter()
        code = grpc.StatusCode.OK
        try:
            await send_whole(send, OK, await self._json(method, scope))
        except Answer as answer:
            code = answer.grpc_code
            await send_error(send, answer)
        finally:
            self._metrics.observe(method.path, code, time.perf_counter() - began)

    async def _json(self, method: Method, scope: Scope) -> bytes:
        request = to_request(scope["query_string"], method.request)
        try:
            return await self._forwarder.read_json(method, request.SerializeToString(), Headers(scope=scope))
        except ValueError as error:
            _log.error("unexpected error", method=method.path, exc_info=error)
            raise to_answer(Refusal(grpc.StatusCode.INTERNAL, "INTERNAL", "internal error")) from None
