"""Reads the ErrorInfo of our domain in the error of a call."""

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from rpc.answers.refusal import DOMAIN, STATUS_DETAILS_KEY


def read_error_infos(error: grpc.aio.AioRpcError) -> list[error_details_pb2.ErrorInfo]:
    """Return each ErrorInfo of our domain; none if the details are missing or malformed."""
    raw = dict(error.trailing_metadata() or ()).get(STATUS_DETAILS_KEY, b"")
    infos = []
    try:
        for detail in status_pb2.Status.FromString(bytes(raw)).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info) and info.domain == DOMAIN:
                infos.append(info)
    except (DecodeError, TypeError):  # TypeError: the value is a text, not bytes
        return []
    return infos
