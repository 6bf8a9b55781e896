"""What grpcio makes of an answer that did not come from a gRPC server, but from the road to it. Pure.

A proxy answers with an HTTP status and a page, resets the stream, or closes the connection. grpcio makes a
status code of each and keeps the rest in the text of the error, in the same words from 1.72 to 1.85. Other
words are taken for an answer that may change: the call is tried again.
"""

import re

import grpc

_HTTP_STATUS = re.compile(r"Received http2 header with status: (\d{3})")
_WITHOUT_STATUS = re.compile(
    r"(?:Stream removed(?: \(Data frame with END_STREAM flag received\))?|No status received)$"
)
_CUT = re.compile(r"Stream removed|Socket closed|reset by peer|Broken pipe", re.IGNORECASE)
_CHANGING_HTTP_STATUSES = frozenset(
    {
        400,  # nginx, to a certificate that is missing or has expired: the files may be renewed
        408,  # the request came too slowly
        413,  # a smaller one passes
        425,  # too early
        429,  # too many requests
    }
)
"""Of 2xx to 4xx: what the same request may not get again. A server's own troubles are 5xx."""
_SERVER_ERROR = 500
_CLIENT_ERROR = 400
_SLOWER_HTTP_STATUSES = frozenset({401, 407, 408, 425, 429})
"""Of 4xx: what does not depend on the content of a request."""
_REFUSING_CODES = frozenset(
    {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED}
)


def http_status_of(message: str) -> int:
    """Return the HTTP status that was answered; 0 if gRPC was spoken, or nothing was answered."""
    found = _HTTP_STATUS.search(message)
    return int(found[1]) if found else 0


def lacks_status(code: grpc.StatusCode, message: str) -> bool:
    """Whether an answer ended without a gRPC status: it was a page with HTTP 200, or was cut at its end.

    A stream that ends like this may also have had another HTTP status: grpcio loses it when the end of the
    body arrives before it has read the headers. It keeps that of a unary call.
    """
    return code is grpc.StatusCode.UNKNOWN and _WITHOUT_STATUS.match(message) is not None


def was_sent(code: grpc.StatusCode, message: str) -> bool:
    """Whether a call has reached somebody, who answered or cut it."""
    if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
        return bool(http_status_of(message)) or _CUT.search(message) is not None
    return True


def is_refusal(code: grpc.StatusCode, message: str) -> bool:
    """Whether the same request gets the same answer until a person has changed something."""
    status = http_status_of(message)
    if status:
        return status < _SERVER_ERROR and status not in _CHANGING_HTTP_STATUSES
    return code in _REFUSING_CODES


def depends_on_content(code: grpc.StatusCode, message: str) -> bool:
    """Whether a proxy probably dislikes what is in the request, as web application firewalls do."""
    status = http_status_of(message)
    if status:
        return _CLIENT_ERROR <= status < _SERVER_ERROR and status not in _SLOWER_HTTP_STATUSES
    return lacks_status(code, message)
