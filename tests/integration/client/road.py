"""Everything that may answer instead of a server, or cut its answer."""

from typing import NamedTuple

import grpc

from batchprogress.v1 import progress_pb2 as pb
from tests.support.http2_server import Answer, framed, grpc_status, http_status

CODES = {code.value[0]: code.name for code in grpc.StatusCode}
HTTP_STATUSES = (204, 302, 400, 401, 403, 404, 413, 429, 500, 502, 503, 504)
RESET_CODES = range(14)
STATE = pb.Batch(batch_id="b", state=pb.BATCH_STATE_PROCESSING, revision=3, total_jobs=2, pending_jobs=2)
_MESSAGE = framed(pb.WatchBatchResponse(batch=STATE))
"""Also a GetBatchResponse, and as a ReportJobResultsResponse a message without results."""


class Case(NamedTuple):
    """An answer and its name in the table."""

    group: str
    name: str
    answer: Answer


def cases() -> list[Case]:
    """Return every answer, in the order of the table."""
    ours = [
        Case("our server", name, grpc_status(code, "a sentence", reason=f"REASON_{code}"))
        for code, name in CODES.items()
        if code
    ]
    others = [
        Case("gRPC status", name, grpc_status(code, "by a proxy")) for code, name in CODES.items() if code
    ]
    others.append(Case("gRPC status", "OK without a message", grpc_status(0)))
    gateway = grpc_status(3, "by a gateway", reason="BAD", domain="example.org")
    pages = [
        Case("HTTP", str(status), http_status(status, body))
        for status in HTTP_STATUSES
        for body in (b"<html>a page</html>", b"")
    ]
    resets = [Case("RST_STREAM", str(code), Answer([], reset_code=code)) for code in RESET_CODES]
    others.append(Case("gRPC status", "with an ErrorInfo of another domain", gateway))
    ends = [Case(group, name, answer) for group, names in _ENDS.items() for name, answer in names.items()]
    return [*ours, *others, *pages, *resets, *ends]


_ENDS = {
    "HTTP": {"200 with a page": http_status(200)},
    "GOAWAY": {"0": Answer(goaway_code=0), "2": Answer(goaway_code=2)},
    "connection closed": {
        "before headers": Answer([], closes=True),
        "after headers": Answer(closes=True),
        "in a message": Answer(body=_MESSAGE[:-2], closes=True),
        "after a message": Answer(body=_MESSAGE, closes=True),
    },
    "stream": {
        "reset after a message": Answer(body=_MESSAGE, reset_code=2),
        "with bytes that are no message": Answer(body=b"\0\0\0\0\4abcd", trailers=[("grpc-status", "0")]),
        "ended without trailers": Answer(body=_MESSAGE),
        "ended in a message": Answer(body=_MESSAGE[:-2]),
        "ended after headers": Answer(),
        "with trailers that have no status": Answer(
            [(":status", "200"), ("content-type", "text/html")], b"<html>", [("x-proxy", "y")]
        ),
    },
}
