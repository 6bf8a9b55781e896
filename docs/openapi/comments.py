"""The comments of the protos, which are the descriptions of the OpenAPI document."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).parents[2]
BUF = Path(sys.executable).with_name("buf")
"""Compiles the protos with their comments, which the generated stubs do not have."""
OURS = "batchprogress/"
LINE_END = re.compile(r"(?<!\n)\n(?!\n| ?- ) *")
"""The end of a line within a paragraph, or within an item of a list."""
FIELD_NAME = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")
SYNTAX, MESSAGES, ENUMS, SERVICES, MEMBERS = 12, 4, 5, 6, 2
"""The numbers of these fields in FileDescriptorProto; MEMBERS are fields, values and methods alike."""
Place = tuple[int, ...]
"""The path of an element in its file, as in SourceCodeInfo.Location."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def read_comments() -> Mapping[str, str]:
    """Compile protos/ and return the comment of each element, by its full name.

    The comment at the head of a file has the name of the file. Fields are named as JSON does.

    Raises:
        CalledProcessError: a file is not valid; buf has printed why.

    """
    command = (str(BUF), "build", str(ROOT), "--as-file-descriptor-set", "--output", "-")
    compiled = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603  # buf, on our folder
    files = [
        file for file in FileDescriptorSet.FromString(compiled.stdout).file if file.name.startswith(OURS)
    ]
    names = {
        field.name: field.json_name
        for file in files
        for message in file.message_type
        for field in message.field
    }
    return {name: _paragraphs(text, names) for file in files for name, text in _comments(file)}


def _comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    named = dict(_elements(file))
    for location in file.source_code_info.location:
        name = named.get(tuple(location.path))
        if name is not None and location.leading_comments:
            yield name, location.leading_comments


def _elements(file: FileDescriptorProto) -> Iterator[tuple[Place, str]]:
    """Yield the path and the full name of each element."""
    yield (SYNTAX,), file.name
    groups: tuple[tuple[int, list[tuple[str, Sequence[_Named]]]], ...] = (
        (MESSAGES, [(one.name, one.field) for one in file.message_type]),
        (ENUMS, [(one.name, one.value) for one in file.enum_type]),
        (SERVICES, [(one.name, one.method) for one in file.service]),
    )
    for kind, elements in groups:
        for number, (name, members) in enumerate(elements):
            full_name = f"{file.package}.{name}"
            yield (kind, number), full_name
            for place, member in enumerate(members):
                yield (kind, number, MEMBERS, place), f"{full_name}.{member.name}"


def _paragraphs(text: str, json_names: Mapping[str, str]) -> str:
    joined = LINE_END.sub(" ", text).strip().replace("\n ", "\n")
    return FIELD_NAME.sub(lambda found: json_names.get(found[0], found[0]), joined)
