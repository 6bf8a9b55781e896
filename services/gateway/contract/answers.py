"""What a failed call means to an HTTP client: the code, the details and the time to try again."""

import math
from collections.abc import Iterable

import grpc
from connectrpc.code import Code
from connectrpc.errors import ConnectError, ErrorDetail
from google.protobuf.any_pb2 import Any as PackedDetail
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from protobuf import Message as WireMessage
from protobuf import message_from_json_value
from protobuf.wkt import Any as WireAny
from protobuf.wkt import Struct

from rpc.answers.error_info import read_error_infos
from rpc.answers.refusal import STATUS_DETAILS_KEY, Refusal
from rpc.answers.request_checks import MESSAGE_BYTES_MAX

RETRY_SECONDS = 1.0
"""When a server that cannot be reached may be back: a restart takes a second or two."""
DETAILS: dict[str, type[Message]] = {
    one.DESCRIPTOR.full_name: one
    for one in (
        error_details_pb2.BadRequest,
        error_details_pb2.ErrorInfo,
        error_details_pb2.RequestInfo,
        error_details_pb2.RetryInfo,
    )
}
"""The details that the contract promises, by their types."""
CODES: dict[grpc.StatusCode, Code] = {
    code: Code.CANCELED if code is grpc.StatusCode.CANCELLED else Code[code.name]
    for code in grpc.StatusCode
    if code is not grpc.StatusCode.OK
}
_BY_NUMBER: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_KEPT = frozenset(
    {
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""Codes that mean the same if a proxy has answered. Any other one means that the server was not reached."""


class Answer(ConnectError):
    """An error as it is sent to an HTTP client.

    Args:
        status: the code, the message and the details.
        is_from_server: whether the progress server has answered so, and not the gateway.

    """

    def __init__(self, status: status_pb2.Status, *, is_from_server: bool = False) -> None:
        code = _BY_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN)
        super().__init__(CODES[code], status.message, [_Detail(one) for one in status.details])
        self.grpc_code = code
        self.is_from_server = is_from_server
        self.reason = _reason(status.details)
        """Why it failed, in UPPER_SNAKE; empty if the answer does not say."""
        self.retry_after = _retry_after(status.details)
        """The value of the header Retry-After, in whole seconds; None: there is none."""


class _Detail(ErrorDetail):
    """A detail that people can read in JSON, too: its `debug` is the message as ProtoJSON."""

    def __init__(self, packed: PackedDetail) -> None:
        super().__init__(WireAny(type_url=packed.type_url, value=packed.value))

    def value(self, _type: object = None) -> WireMessage | None:  # type: ignore[override]  # overloads
        """Return the content; None if the type is unknown."""
        content = detail_content(self)
        return None if content is None else message_from_json_value(Struct, MessageToDict(content))


def detail_content(detail: ErrorDetail) -> Message | None:
    """Return the message in a detail; None if its type is unknown."""
    kind = DETAILS.get(detail.type_name)
    try:
        return None if kind is None else kind.FromString(detail.message_bytes)
    except DecodeError:
        return None


def answer_of(error: grpc.aio.AioRpcError) -> Answer:
    """Translate a failed call.

    Args:
        error: how the call failed.

    Returns:
        The server's own answer. If the server has not answered, the text is ours: gRPC's would tell the
        addresses of servers.

    """
    if is_from_server(error):
        raw = dict(error.trailing_metadata() or ())[STATUS_DETAILS_KEY]
        return Answer(status_pb2.Status.FromString(bytes(raw)), is_from_server=True)
    return to_answer(unreached(error.code()))


def is_from_server(error: grpc.aio.AioRpcError) -> bool:
    """Return whether the server has answered, and not gRPC or a proxy."""
    return bool(read_error_infos(error))


def to_answer(refusal: Refusal) -> Answer:
    """Return a refusal of the gateway itself as it is sent."""
    return Answer(refusal.status())


def draining() -> Answer:
    """Return how a stream ends when the gateway is about to stop."""
    message = "this gateway is shutting down; try again"
    return to_answer(
        Refusal(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", message, retry_delay_seconds=RETRY_SECONDS)
    )


def malformed(message: str) -> Answer:
    """Return the answer to a request that is not a message of its method."""
    return to_answer(Refusal(grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE", message))


def too_large() -> Answer:
    """Return the answer to a request that is too large, the same as the server's."""
    message = f"the message is larger than {MESSAGE_BYTES_MAX} bytes"
    return to_answer(Refusal(grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_TOO_LARGE", message))


def busy(message: str) -> Answer:
    """Return the answer to a request for which there is no room now."""
    return to_answer(
        Refusal(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "GATEWAY_BUSY", message, retry_delay_seconds=RETRY_SECONDS
        )
    )


def unreached(code: grpc.StatusCode) -> Refusal:
    """Return the refusal of a call that the server has not answered.

    Args:
        code: how gRPC or a proxy has ended it.

    """
    match code:
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return Refusal(code, "DEADLINE_EXCEEDED", "the progress server has not answered in time")
        case _ if code in _KEPT:
            return Refusal(code, "REFUSED_ON_THE_WAY", "a proxy before the progress server refuses the call")
    return Refusal(
        grpc.StatusCode.UNAVAILABLE,
        "SERVER_UNREACHABLE",
        "the progress server cannot be reached; try again",
        retry_delay_seconds=RETRY_SECONDS,
    )


def _reason(details: Iterable[PackedDetail]) -> str:
    info = error_details_pb2.ErrorInfo()
    return next((info.reason for detail in details if detail.Unpack(info)), "")


def _retry_after(details: Iterable[PackedDetail]) -> str | None:
    retry = error_details_pb2.RetryInfo()
    for detail in details:
        if detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) and detail.Unpack(retry):
            return str(max(1, math.ceil(retry.retry_delay.ToTimedelta().total_seconds())))
    return None
