"""The methods of the contract as operations: POST of each call, and GET of those that only read."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from docs.openapi.responses import JSON, failures, items_of
from docs.openapi.schemas import Schemas

Operation = dict[str, Any]
TIMEOUT = {"$ref": "#/components/parameters/ConnectTimeoutMs"}
REQUEST_ID = {"$ref": "#/components/parameters/RequestId"}
PARAMETERS: dict[str, Any] = {
    "ConnectTimeoutMs": {
        "name": "Connect-Timeout-Ms",
        "in": "header",
        "description": "The milliseconds that the call may take. Default: the limit of the gateway, 30 s.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,10}$"},
    },
    "RequestId": {
        "name": "X-Request-Id",
        "in": "header",
        "description": "Identifies the call in the server's log and in its errors: 1 to 64 characters from"
        " A-Z a-z 0-9 . _ : -. The server replaces any other one.",
        "schema": {"type": "string"},
    },
}
"""The headers that every call may have."""


class Calls:
    """Makes the operations of methods.

    Args:
        comments: the comment of each element, by its full name.
        schemas: the schemas of messages.
        general: the errors of every method.

    """

    def __init__(self, comments: Mapping[str, str], schemas: Schemas, general: Sequence[str]) -> None:
        self._comments = comments
        self._schemas = schemas
        self._general = general

    def path(self, method: MethodDescriptor) -> dict[str, Operation]:
        """Return the operations of a method."""
        request = self._schemas.reference(method.input_type)
        name = f"{method.containing_service.name}_{method.name}"
        post = {
            **self.operation(method, name),
            "parameters": [TIMEOUT, REQUEST_ID],
            "requestBody": {"required": True, "content": {JSON: {"schema": request}}},
        }
        if method.GetOptions().idempotency_level != MethodOptions.NO_SIDE_EFFECTS:
            return {"post": post}
        return {"get": {**self.operation(method, f"{name}_get"), "parameters": _query(request)}, "post": post}

    def operation(self, method: MethodDescriptor, name: str) -> Operation:
        """Return what is the same for all operations of a method.

        Args:
            method: the method.
            name: the id of the operation.

        """
        comment = self._comments[method.full_name]
        ok = {JSON: {"schema": self._schemas.reference(method.output_type)}}
        return {
            "operationId": name,
            "tags": [method.containing_service.name],
            "summary": comment.partition(". ")[0].partition(".\n")[0].rstrip("."),
            "description": comment,
            "responses": {
                "200": {"description": self._comments[method.output_type.full_name], "content": ok},
                **failures(items_of(comment), self._general),
            },
        }


def _query(request: Mapping[str, Any]) -> list[Any]:
    """Return the parameters of Connect's GET."""
    return [
        {"name": "encoding", "in": "query", "required": True, "schema": {"type": "string", "enum": ["json"]}},
        {
            "name": "message",
            "in": "query",
            "required": True,
            "description": "The request as JSON, encoded for a URL.",
            "content": {JSON: {"schema": request}},
        },
        TIMEOUT,
        REQUEST_ID,
    ]
