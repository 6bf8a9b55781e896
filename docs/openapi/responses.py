"""How calls fail over HTTP: the statuses, and which error has which."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from docs.openapi.schemas import Schema

JSON = "application/json"
STATUSES = {
    "ABORTED": HTTPStatus.CONFLICT,
    "ALREADY_EXISTS": HTTPStatus.CONFLICT,
    "DEADLINE_EXCEEDED": HTTPStatus.GATEWAY_TIMEOUT,
    "FAILED_PRECONDITION": HTTPStatus.BAD_REQUEST,
    "INTERNAL": HTTPStatus.INTERNAL_SERVER_ERROR,
    "INVALID_ARGUMENT": HTTPStatus.BAD_REQUEST,
    "NOT_FOUND": HTTPStatus.NOT_FOUND,
    "PERMISSION_DENIED": HTTPStatus.FORBIDDEN,
    "RESOURCE_EXHAUSTED": HTTPStatus.TOO_MANY_REQUESTS,
    "UNAUTHENTICATED": HTTPStatus.UNAUTHORIZED,
    "UNAVAILABLE": HTTPStatus.SERVICE_UNAVAILABLE,
    "UNIMPLEMENTED": HTTPStatus.NOT_IMPLEMENTED,
}
"""The HTTP status of each code, as in Connect."""
OF_THE_GATEWAY = (
    "RESOURCE_EXHAUSTED / GATEWAY_BUSY: the gateway holds the maximum of large requests, or of streams.",
    "UNAVAILABLE / SERVER_UNREACHABLE: the progress server cannot be reached.",
    "UNAVAILABLE / TOKEN_UNREADABLE: the gateway cannot read its own token.",
    "UNAVAILABLE, without details: the gateway has too many connections.",
    "DEADLINE_EXCEEDED / DEADLINE_EXCEEDED: the progress server has not answered in time.",
    "UNIMPLEMENTED / UNIMPLEMENTED: the progress server is older than the gateway.",
    "INVALID_ARGUMENT, without details: a header is not valid.",
)
WITHOUT_DETAILS = {
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The content type is not one of Connect or gRPC-Web."
    " The body may be empty.",
    HTTPStatus.MISDIRECTED_REQUEST: "The gateway is not served under the name in `Host`.",
}
ITEM = re.compile(r"^- ([A-Z_]+) / .*", re.MULTILINE)
ERROR: Schema = {
    "type": "object",
    "description": "Why a call failed.",
    "required": ["code", "message"],
    "properties": {
        "code": {
            "type": "string",
            "enum": sorted({code.lower() for code in STATUSES}),
            "description": "The code of gRPC, in lower case.",
        },
        "message": {"type": "string", "description": "A sentence for people."},
        "details": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/ErrorDetail"},
            "description": "One google.rpc.ErrorInfo with the reason; google.rpc.BadRequest names the"
            " invalid fields, google.rpc.RetryInfo the time to try again, google.rpc.RequestInfo the"
            " request. Absent if the request was refused before it was read.",
        },
    },
}
ERROR_DETAIL: Schema = {
    "type": "object",
    "description": "A detail of an error.",
    "required": ["type", "value", "debug"],
    "properties": {
        "type": {"type": "string", "examples": ["google.rpc.ErrorInfo"]},
        "value": {
            "type": "string",
            "contentEncoding": "base64",
            "description": "The detail as a binary message, in base64 without padding.",
        },
        "debug": {
            "type": "object",
            "description": "The detail as ProtoJSON.",
            "examples": [{"reason": "BATCH_NOT_FOUND", "domain": "batchprogress"}],
        },
    },
}


def items_of(comment: str) -> list[str]:
    """Return the errors that a comment lists: `CODE / REASON: when`."""
    return [found[0].removeprefix("- ") for found in ITEM.finditer(comment)]


def shared_responses(general: Sequence[str]) -> dict[str, Any]:
    """Return the failures that every call may have, by their names in #/components/responses.

    Args:
        general: the errors of every method.

    """
    listed = {_name(status): _failure(status, errors) for status, errors in _by_status(general).items()}
    others = {_name(status): _failure(status, [text]) for status, text in WITHOUT_DETAILS.items()}
    return dict(sorted((listed | others).items()))


def failures(own: Sequence[str], general: Sequence[str]) -> dict[str, Any]:
    """Return the failures of a method, by status.

    Args:
        own: its own errors.
        general: the errors of every method.

    """
    shared = _by_status(general)
    found = {
        status: {"$ref": f"#/components/responses/{_name(status)}"} for status in [*shared, *WITHOUT_DETAILS]
    }
    found |= {
        status: _failure(status, [*errors, *shared.get(status, ())])
        for status, errors in _by_status(own).items()
    }
    return {str(status.value): found[status] for status in sorted(found)}


def _by_status(errors: Sequence[str]) -> Mapping[HTTPStatus, list[str]]:
    found: dict[HTTPStatus, list[str]] = defaultdict(list)
    for error in errors:
        code = error.partition(" ")[0].rstrip(",")
        found[STATUSES[code]].append(error)
    return found


def _failure(status: HTTPStatus, errors: Sequence[str]) -> dict[str, Any]:
    text = errors[0] if len(errors) == 1 else "\n".join(f"- {one}" for one in errors)
    response: dict[str, Any] = {"description": text}
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        response["headers"] = {
            "Retry-After": {"description": "Whole seconds until another try.", "schema": {"type": "integer"}}
        }
    if status is not HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
        response["content"] = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    return response


def _name(status: HTTPStatus) -> str:
    return status.phrase.replace(" ", "")
