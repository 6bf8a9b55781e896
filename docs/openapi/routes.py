"""The paths below /v1 as operations: reads by plain GET, events and the badge of a batch."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from docs.openapi.calls import REQUEST_ID, Calls, Operation
from docs.openapi.responses import JSON
from docs.openapi.schemas import Schema, Schemas
from services.gateway.badge import badge
from services.gateway.live import batch_events, selection_events
from services.gateway.reads import failure_export
from services.gateway.reads.failure_lines import Format
from services.gateway.reads.reads import METHODS

TAG = {
    "name": "Plain HTTP",
    "description": "For clients that know nothing but HTTP and JSON."
    " The parameters of a query have the names of the fields in the protos.",
}
EVENTS = """\
Sends a batch as [server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html), \
from now to its end. At most four a second.

- `batch`: the `Batch`; the id of the event is for `Last-Event-ID`.
- `problem`: an `Error`: the batch may be out of date, until the next `batch`.
- `ended`: the batch has ended; do not connect again.
- `refused`: an `Error`: the caller may not see the batch any longer.

A stream that ends without `ended` or `refused` was cut: connect again with `Last-Event-ID`."""
SELECTION_EVENTS = """\
Sends the changes of many batches as server-sent events, for ever; at most one a second of each batch.

- `batch`: a `Batch`: at first each one that is under way, then each newer state, and its end.
- `deleted`: the `batchId` of a batch that was deleted before its end.
- `live`: all that are under way were sent; any other that the client knows has ended or is gone. `resumed` \
tells whether all ends since `Last-Event-ID` were sent, too. It also takes a `problem` back.
- `problem`: an `Error`: the batches may be out of date.
- `refused`: an `Error`: the caller may not see them any longer, or more than 1,000 are under way.

A stream that ends without `refused` was cut: connect again with `Last-Event-ID`. A batch is not followed \
beyond its end."""
FAILURES = """\
Sends every failed job of a batch in ascending order of job_id, without error_details. The server is asked \
page by page. A file that breaks off ends with the connection, without the last chunk.

In CSV, a text that a spreadsheet would take for a formula has an apostrophe before it."""
SET_BY_THE_GATEWAY = frozenset({"outcome", "page_size", "page_token"})
LAST_EVENT_ID: Schema = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event that the client has; it is not sent again.",
    "schema": {"type": "string"},
}
STREAM: Schema = {
    "description": "The events.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}
BADGE_PARAMETERS: tuple[Schema, ...] = (
    {
        "name": "label",
        "in": "query",
        "description": "The left side of the badge. Default: the name of the batch.",
        "schema": {"type": "string"},
    },
    {
        "name": "token",
        "in": "query",
        "description": "The caller's token, for pages that cannot send a header."
        " Whoever sees the URL can use it.",
        "schema": {"type": "string"},
    },
)


class Routes:
    """Makes the operations of the paths below /v1.

    Args:
        methods: the methods of ProgressService, by name.
        calls: makes what the operations share with calls.
        schemas: the schemas of fields.

    """

    def __init__(self, methods: Mapping[str, MethodDescriptor], calls: Calls, schemas: Schemas) -> None:
        self._methods = methods
        self._calls = calls
        self._schemas = schemas

    def paths(self) -> dict[str, Any]:
        """Return the operations by path."""
        reads = {path: self._read(self._methods[method.info.name]) for path, method in METHODS.items()}
        paths = {
            **reads,
            batch_events.PATH: self._events(),
            selection_events.PATH: self._selection_events(),
            badge.PATH: self._badge(),
        }
        paths |= {path: self._failures(kind) for path, kind in failure_export.PATHS.items()}
        return {path: {"get": operation} for path, operation in paths.items()}

    def _read(self, method: MethodDescriptor) -> Operation:
        parameters = [self._parameter(field) for field in method.input_type.fields]
        return {
            **self._calls.operation(method, f"{method.name}_plain"),
            "tags": [TAG["name"]],
            "parameters": [*parameters, REQUEST_ID],
        }

    def _events(self) -> Operation:
        read = self._read(self._methods["GetBatch"])
        known = {"description": "The batch has ended, and the client knows it: do not connect again."}
        return {
            **read,
            "operationId": "BatchEvents",
            "summary": "Sends a batch as server-sent events",
            "description": EVENTS,
            "parameters": [*read["parameters"], LAST_EVENT_ID],
            "responses": {**read["responses"], "200": STREAM, "204": known},
        }

    def _selection_events(self) -> Operation:
        read = self._read(self._methods["ListBatches"])
        parameters = [one for one in read["parameters"] if one.get("name") in {"labels", "batch_id_prefix"}]
        return {
            **read,
            "operationId": "BatchesEvents",
            "summary": "Sends the changes of many batches as server-sent events",
            "description": SELECTION_EVENTS,
            "parameters": [*parameters, REQUEST_ID, LAST_EVENT_ID],
            "responses": {**read["responses"], "200": STREAM},
        }

    def _failures(self, kind: Format) -> Operation:
        read = self._read(self._methods["ListJobResults"])
        kept = [one for one in read["parameters"] if one.get("name") not in SET_BY_THE_GATEWAY]
        lines = {kind.media_type.partition(";")[0]: {"schema": {"type": "string"}}}
        return {
            **read,
            "operationId": f"BatchFailures_{kind.ending}",
            "summary": f"Sends every failed job of a batch as a file ({kind.ending})",
            "description": FAILURES,
            "parameters": kept,
            "responses": {**read["responses"], "200": {"description": "The file.", "content": lines}},
        }

    def _badge(self) -> Operation:
        read = self._read(self._methods["GetBatch"])
        picture = {badge.HEADERS["content-type"]: {"schema": {"type": "string"}}}
        content = {**picture, JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
        errors = {
            status: {
                "description": f"A badge in place of status {status} of GET /v1/batch. An Error if the"
                " request was refused before it was read.",
                "content": content,
            }
            for status in read["responses"]
        }
        ok = {"description": "The badge.", "content": picture}
        return {
            **read,
            "operationId": "BatchBadge",
            "summary": "Draws the badge of a batch",
            "description": "Draws the badge of a batch as SVG. Caches may keep it for ten seconds.",
            "parameters": [*read["parameters"], *BADGE_PARAMETERS],
            "responses": {**errors, "200": ok, "304": {"description": "The badge has not changed."}},
        }

    def _parameter(self, field: FieldDescriptor) -> Schema:
        schema = self._schemas.field(field)
        description = schema.pop("description")
        is_map = schema.get("type") == "object"
        return {
            "name": field.name,
            "in": "query",
            "description": description,
            "schema": schema,
            **({"style": "deepObject", "explode": True} if is_map else {}),
        }
