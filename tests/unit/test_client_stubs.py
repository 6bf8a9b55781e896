"""The stubs of Node and Go are those of the contract; `make verify` compares Python's."""

import base64
import re
from collections.abc import Callable

import pytest
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from batchprogress.v1 import operations_pb2, progress_pb2
from tests.support.progress import ROOT

FILES = {"progress": progress_pb2.DESCRIPTOR, "operations": operations_pb2.DESCRIPTOR}


def in_node(name: str) -> FileDescriptorProto:
    """Return the descriptor in a stub of clients/node."""
    text = (ROOT / f"clients/node/src/generated/batchprogress/v1/{name}_pb.js").read_text(encoding="utf-8")
    found = re.search(r'fileDesc\("([^"]+)"', text)
    assert found
    encoded = found[1]
    return FileDescriptorProto.FromString(base64.b64decode(encoded + "=" * (-len(encoded) % 4)))


def in_go(name: str) -> FileDescriptorProto:
    """Return the descriptor in a stub of clients/go."""
    text = (ROOT / f"clients/go/v1/{name}.pb.go").read_text(encoding="utf-8")
    found = re.search(r"_rawDesc = string\(\[\]byte\{(.*?)\}\)", text, re.DOTALL)
    assert found
    return FileDescriptorProto.FromString(bytes.fromhex("".join(re.findall(r"0x(\w\w)", found[1]))))


def in_contract(descriptor: FileDescriptor) -> FileDescriptorProto:
    """Return the descriptor of a file of the contract, as Python's stubs have it."""
    copy = FileDescriptorProto()
    descriptor.CopyToProto(copy)
    return copy


def comparable(descriptor: FileDescriptorProto) -> FileDescriptorProto:
    """Leave out what some generators write and others do not."""
    descriptor.ClearField("dependency")
    for message in [*descriptor.message_type, *(n for m in descriptor.message_type for n in m.nested_type)]:
        for field in message.field:
            field.ClearField("json_name")
    return descriptor


@pytest.mark.parametrize("read", [in_node, in_go])
@pytest.mark.parametrize("name", FILES)
def test_stubs_of_other_languages_are_those_of_the_contract(
    read: Callable[[str], FileDescriptorProto], name: str
) -> None:
    """Otherwise run `make proto`."""
    assert comparable(read(name)) == comparable(in_contract(FILES[name]))
