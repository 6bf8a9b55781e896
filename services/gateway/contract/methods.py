"""The methods of the contract, read from the descriptors of its services."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from batchprogress.v1 import operations_pb2, progress_pb2

SERVICES: tuple[ServiceDescriptor, ...] = (
    progress_pb2.DESCRIPTOR.services_by_name["ProgressService"],
    operations_pb2.DESCRIPTOR.services_by_name["OperationsService"],
)
"""What the gateway serves."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a service."""

    path: str
    """/package.Service/Method, for gRPC and HTTP alike."""
    request: type[Message]
    response: type[Message]
    is_stream: bool
    """Whether there may be many responses."""
    is_read: bool
    """Whether it changes nothing, so that the gateway's own token may be used. A watch is one, too, but
    Connect has no GET for streams."""
    info: MethodInfo[Any, Any]
    """The same for connectrpc. To it, requests and responses are bytes."""


def methods_of(services: Iterable[ServiceDescriptor] = SERVICES) -> Iterator[Method]:
    """Yield each method of the services.

    Args:
        services: their descriptors.

    Raises:
        NotImplementedError: a method has a stream of requests, which HTTP/1.1 cannot carry both ways.

    """
    for service in services:
        for method in service.methods:
            yield _method(service, method)


def _method(service: ServiceDescriptor, method: MethodDescriptor) -> Method:
    if method.client_streaming:
        raise NotImplementedError(f"{method.full_name} has a stream of requests")
    level = method.GetOptions().idempotency_level
    has_side_effects = level != MethodOptions.NO_SIDE_EFFECTS
    return Method(
        path=f"/{service.full_name}/{method.name}",
        request=GetMessageClass(method.input_type),
        response=GetMessageClass(method.output_type),
        is_stream=method.server_streaming,
        is_read=method.server_streaming or not has_side_effects,
        info=MethodInfo(
            name=method.name,
            service_name=service.full_name,
            input=bytes,
            output=bytes,
            idempotency_level=IdempotencyLevel.UNKNOWN
            if has_side_effects
            else IdempotencyLevel.NO_SIDE_EFFECTS,
            stream_type=StreamType.SERVER_STREAM if method.server_streaming else StreamType.UNARY,
        ),
    )


def method_named(name: str) -> Method:
    """Return the method with a name, which only one of the services has."""
    return next(
        _method(service, service.methods_by_name[name])
        for service in SERVICES
        if name in service.methods_by_name
    )
