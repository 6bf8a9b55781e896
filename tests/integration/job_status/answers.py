"""The error status of a failed call."""

from collections.abc import Awaitable
from dataclasses import dataclass

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2


@dataclass(frozen=True)
class Answer:
    """An error status with the details that the contract guarantees."""

    code: grpc.StatusCode
    reason: str
    message: str
    fields: tuple[str, ...]
    """The invalid fields."""
    problem: str
    """The metadata `problem`; empty if there is none."""


async def refused(call: Awaitable[object]) -> Answer:
    """Await a call that must fail with exactly one ErrorInfo."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    metadata = dict(caught.value.trailing_metadata() or ())
    return _answer(caught.value, status_pb2.Status.FromString(metadata["grpc-status-details-bin"]))


def _answer(error: grpc.aio.AioRpcError, status: status_pb2.Status) -> Answer:
    infos: list[error_details_pb2.ErrorInfo] = []
    fields: list[str] = []
    for detail in status.details:
        info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            infos.append(info)
        elif detail.Unpack(request):
            fields += [violation.field for violation in request.field_violations]
    assert [info.domain for info in infos] == ["batchprogress"]
    return Answer(
        error.code(),
        infos[0].reason,
        error.details() or "",
        tuple(fields),
        infos[0].metadata.get("problem", ""),
    )
