"""Answers with JSON for the paths that are not calls of Connect, with the same bodies."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import grpc
from connectrpc.errors import ErrorDetail
from google.protobuf.json_format import MessageToDict
from starlette.types import Send

from rpc.answers.refusal import Refusal
from services.gateway.contract.answers import Answer, detail_content, to_answer

JSON_TYPE = "application/json"
CLIENT_LEFT = 499
"""The status of a call that its own caller has cancelled, as in Connect and nginx."""
STATUSES: Mapping[grpc.StatusCode, int] = {
    grpc.StatusCode.CANCELLED: CLIENT_LEFT,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""The HTTP statuses of Connect; every other code is 500."""
METHOD_NOT_ALLOWED = 405


def error_json(answer: Answer) -> bytes:
    """Return the body of an error."""
    body = {
        "code": answer.code.value,
        "message": answer.message,
        "details": [_detail(one) for one in answer.details],
    }
    return json.dumps(body, ensure_ascii=False).encode()


def status_of(answer: Answer) -> int:
    """Return the HTTP status of an error."""
    return STATUSES.get(answer.grpc_code, 500)


async def send_error(send: Send, answer: Answer) -> None:
    """Answer a request with an error.

    Args:
        send: sends the answer.
        answer: the error.

    """
    headers = {} if answer.retry_after is None else {"retry-after": answer.retry_after}
    await send_whole(send, status_of(answer), error_json(answer), headers)


async def send_not_allowed(send: Send) -> None:
    """Answer a request that is not a GET."""
    message = "only GET is allowed here"
    answer = to_answer(Refusal(grpc.StatusCode.UNIMPLEMENTED, "METHOD_NOT_ALLOWED", message))
    await send_whole(send, METHOD_NOT_ALLOWED, error_json(answer), {"allow": "GET"})


async def send_whole(send: Send, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    """Answer a request with a body; by default it is JSON, and an empty one has no content type.

    Args:
        send: sends the answer.
        status: the HTTP status.
        body: the body.
        headers: further headers, with names in lower case.

    """
    named = {**({"content-type": JSON_TYPE} if body else {}), **(headers or {})}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _detail(detail: ErrorDetail) -> dict[str, Any]:
    content = detail_content(detail)
    return {
        "type": detail.type_name,
        "value": b64encode(detail.message_bytes).decode().rstrip("="),
        **({} if content is None else {"debug": MessageToDict(content)}),
    }
