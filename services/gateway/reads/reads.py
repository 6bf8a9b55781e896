"""GET /v1/batch, /v1/batch/history and /v1/batches: reads for clients that know nothing but HTTP and JSON."""

from collections.abc import Mapping
from types import MappingProxyType

import grpc
import structlog
from starlette.datastructures import Headers
from starlette.types import Scope, Send

from rpc.answers.refusal import Refusal
from services.gateway.contract.answers import Answer, to_answer
from services.gateway.contract.json_answers import send_error, send_whole
from services.gateway.contract.methods import Method, method_named
from services.gateway.reads.counted_read import CountedRead
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


class Reads(CountedRead):
    """Answers the paths of METHODS with the response of the method as ProtoJSON."""

    async def answer(self, scope: Scope, send: Send) -> None:
        """Answer with the response, or with an error."""
        method = METHODS[scope["path"]]
        try:
            with self.counted(method):
                await send_whole(send, OK, await self._json(method, scope))
        except Answer as answer:
            await send_error(send, answer)

    async def _json(self, method: Method, scope: Scope) -> bytes:
        request = to_request(scope["query_string"], method.request)
        try:
            return await self._forwarder.read_json(method, request.SerializeToString(), Headers(scope=scope))
        except ValueError as error:
            _log.error("unexpected error", method=method.path, exc_info=error)
            raise to_answer(Refusal(grpc.StatusCode.INTERNAL, "INTERNAL", "internal error")) from None
