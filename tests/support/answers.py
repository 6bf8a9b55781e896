"""Reads the details of errors that the servers return."""

from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2, status_pb2


@dataclass(frozen=True, slots=True)
class Answered:
    """The parts of an error that a client received."""

    code: grpc.StatusCode
    reason: str
    message: str
    fields: tuple[str, ...]
    retry_seconds: float | None
    domain: str


def answered(error: grpc.aio.AioRpcError) -> Answered:
    """Return the parts of an error, which must have exactly one ErrorInfo."""
    pairs = tuple(error.trailing_metadata() or ())  # dict(…) of it fails with the oldest grpcio
    raw = dict(pairs)["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(raw if isinstance(raw, bytes) else raw.encode())
    infos, fields, retry = [], (), None
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            infos.append(error_details_pb2.ErrorInfo.FromString(detail.value))
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            violations = error_details_pb2.BadRequest.FromString(detail.value).field_violations
            fields = tuple(one.field for one in violations)
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo.FromString(detail.value).retry_delay.ToMicroseconds() / 1e6
    (info,) = infos
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    return Answered(error.code(), info.reason, status.message, fields, retry, info.domain)
