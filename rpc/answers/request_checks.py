"""What is checked in the bytes of a request, before they are decoded.

A request takes three times its size until it is answered, that of a watch for as long as its client likes. So
only the methods that need large requests take them, and each says how many bytes it has room for.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

import grpc

from rpc.answers.refusal import Refusal, Violation
from rpc.answers.repeated_fields import RepeatedField

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""gRPC's own default; 10,000 results with short errors take some 1 MiB. It is checked here and not in the
transport, because the transport answers RESOURCE_EXHAUSTED, which tells a worker to retry for ever."""
SMALL_MESSAGE_BYTES_MAX = 64 * 1024
"""The limit of all other requests: twice the largest one that is valid, with 32 labels of 200 characters."""

REQUEST_BYTES: ContextVar[int] = ContextVar("request_bytes", default=0)
"""The size of the request of the current call."""

Admit = Callable[[int], None]
"""Gets the size of a large request; raises if there is no room for it now."""


@dataclass(frozen=True, slots=True)
class RequestChecks:
    """The checks of the methods (/package.Service/Method) of a service."""

    repeated_fields: Mapping[str, RepeatedField] = field(default_factory=dict)
    """The field of each method whose elements are counted."""
    large_requests: Mapping[str, Admit] = field(default_factory=dict)
    """Admits the large requests of each method that has some."""


def check_size(raw: bytes, admit: Admit | None) -> None:
    """Check the size of a request.

    Args:
        raw: the request.
        admit: admits large requests of its method; None if the method has none.

    Raises:
        Refusal: MESSAGE_TOO_LARGE.
        Exception: what `admit` raises.

    """
    size = len(raw)
    REQUEST_BYTES.set(size)
    if size <= SMALL_MESSAGE_BYTES_MAX:
        return
    if admit is None or size > MESSAGE_BYTES_MAX:
        raise _too_large(SMALL_MESSAGE_BYTES_MAX if admit is None else MESSAGE_BYTES_MAX)
    admit(size)


def _too_large(bytes_max: int) -> Refusal:
    message = f"the message is larger than {bytes_max} bytes"
    violation = Violation("(message)", f"must have at most {bytes_max} bytes")
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_TOO_LARGE", message, violations=[violation])
