"""A copy of the contract for programs that turn JSON over HTTP into gRPC, such as Envoy's transcoder.

The protos themselves have no google.api.http: the stubs of Python would import google.api, and workers need
grpcio and protobuf alone.
"""

from google.api import annotations_pb2, http_pb2
from google.protobuf import any_pb2, descriptor_pb2, duration_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.rpc import error_details_pb2, status_pb2

from batchprogress.v1 import operations_pb2, progress_pb2
from services.gateway.reads.reads import METHODS

IMPORTED = (
    any_pb2,
    duration_pb2,
    timestamp_pb2,
    descriptor_pb2,
    http_pb2,
    annotations_pb2,
    status_pb2,
    error_details_pb2,
)
"""Each after those that it imports. Without google.rpc, Envoy answers errors with an empty body."""
OURS = (progress_pb2, operations_pb2)


def annotated_descriptors() -> FileDescriptorSet:
    """Return the descriptors of the contract, with the paths below /v1 as google.api.http."""
    files = FileDescriptorSet()
    for module in (*IMPORTED, *OURS):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    for file in files.file[len(IMPORTED) :]:
        _annotate(file)
    return files


def _annotate(file: FileDescriptorProto) -> None:
    paths = {method.path: path for path, method in METHODS.items()}
    for service in file.service:
        for method in service.method:
            call = f"/{file.package}.{service.name}/{method.name}"
            if call in paths:
                rule = method.options.Extensions[annotations_pb2.http]
                rule.get = paths[call]
                # Envoy finds this path by itself only for methods without a rule.
                rule.additional_bindings.add(post=call, body="*")
    file.dependency.append(annotations_pb2.DESCRIPTOR.name)
