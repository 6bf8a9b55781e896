"""The OpenAPI document of the gateway, made from the descriptors of the contract."""

import json
from typing import Any

from docs.openapi.calls import PARAMETERS, Calls
from docs.openapi.comments import read_comments
from docs.openapi.responses import ERROR, ERROR_DETAIL, OF_THE_GATEWAY, items_of, shared_responses
from docs.openapi.routes import TAG, Routes
from docs.openapi.schemas import Schemas
from process.version import VERSION
from services.gateway.contract.methods import SERVICES

INTRODUCTION = """\
The contract of Batch Progress over HTTP, as the gateway serves it: each call is a POST of JSON by the \
[Connect protocol](https://connectrpc.com/docs/protocol); calls that only read can be made by GET, too. \
Below /v1 are plain reads, events, a badge and files with the failed jobs of a batch.

JSON is [ProtoJSON](https://protobuf.dev/programming-guides/json/): names in camelCase, 64-bit numbers as \
strings, enums by name, times as RFC 3339. Unknown fields are ignored. The streams WatchBatch and \
WatchBatches are not described here, since OpenAPI has no words for their frames.
"""
SECURITY = {
    "type": "http",
    "scheme": "bearer",
    "description": "The caller's token, which the gateway passes on. All calls can be made without one if the"
    " server requires no tokens, and reads if the gateway has GATEWAY_ANONYMOUS_READS.",
}


def document_text() -> str:
    """Return the document as it is kept in a file."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def document() -> dict[str, Any]:
    """Return the document."""
    comments = read_comments()
    methods = [method for service in SERVICES for method in service.methods if not method.server_streaming]
    general = [*items_of(comments["batchprogress/v1/progress.proto"]), *OF_THE_GATEWAY]
    schemas = Schemas(comments, (method.output_type for method in methods))
    calls = Calls(comments, schemas, general)
    by_call = {f"/{one.containing_service.full_name}/{one.name}": calls.path(one) for one in methods}
    routes = Routes({one.name: one for one in methods}, calls, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Batch Progress",
            "version": VERSION,
            "description": INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The gateway that serves this document."}],
        "security": [{"bearer": []}, {}],
        "tags": [
            *({"name": one.name, "description": comments[one.full_name]} for one in SERVICES),
            TAG,
        ],
        "paths": {**by_call, **routes.paths()},
        "components": {
            "schemas": {**schemas.all(), "Error": ERROR, "ErrorDetail": ERROR_DETAIL},
            "parameters": PARAMETERS,
            "responses": shared_responses(general),
            "securitySchemes": {"bearer": SECURITY},
        },
    }
