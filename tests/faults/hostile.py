"""What hostile callers send: strange messages and broken bytes."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from batches.result import JobOutcome
from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.fields import IDENTIFIER
from tests.faults.ledger import Job
from tests.support.http2_frames import DATA, END_HEADERS, END_STREAM, HEADERS, call_headers, frame, greeting

STRANGE_TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "a\n",
    "é",
    "ß" * 200,
    "🚀" * 50,
    "\u202egnp",
    "\ufffe",
    "x" * 128,
    "x" * 129,
    "x" * 70_000,
    "' OR 1=1; DROP TABLE batches; -- ",
    "%s %(batch_id)s :batch_id {0} \\",
    "../../etc/passwd",
)
NUMBERS = (0, 1, 2, 3)
STRANGE_NUMBERS = (-1, 10_001, 10**9, 10**9 + 1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
ENUMS = (1, 2, 3)
STRANGE_ENUMS = (0, 4, 99, -1, 2**31 - 1, -(2**31))
STRANGENESS = (0.0, 0.1, 0.5)
"""The share of strange values; many messages must be valid to pass the checks of fields."""
ITEMS = (0, 1, 2, 5, 40)
"""Sizes of repeated fields and maps: 0, a few, and more than the 32 labels that a batch may have."""
INT32_MAX = 2**31 - 1
PART_BYTES_MAX = 64
"""The longest inserted or repeated piece, longer than any tag, length or identifier."""

_NUMBER_KINDS = frozenset(
    {
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT32,
        FieldDescriptor.CPPTYPE_UINT64,
    }
)


class MessageMaker:
    """Makes messages of any type from their descriptor alone.

    Args:
        order: The source of random numbers.
        words: By field name, texts that pass the checks of fields.

    """

    def __init__(self, order: random.Random, words: Mapping[str, Sequence[str]]) -> None:
        self._order = order
        self._words = words
        self._strangeness = 0.0

    def make(self, descriptor: Descriptor) -> Message:
        """Return a message with random fields, each with any value that its type allows."""
        self._strangeness = self._order.choice(STRANGENESS)
        return self._message(descriptor)

    def _message(self, descriptor: Descriptor) -> Message:
        message = GetMessageClass(descriptor)()
        present = self._order.choice((0.2, 0.8, 1.0))
        for field in descriptor.fields:
            if self._order.random() < present:
                self._set(message, field)
        return message

    def _set(self, message: Message, field: FieldDescriptor) -> None:
        target: Any = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            names = field.message_type.fields_by_name
            for _ in range(self._order.choice(ITEMS)):
                target[self._value(names["key"])] = self._value(names["value"])
        elif field.is_repeated:
            for _ in range(self._order.choice(ITEMS)):
                self._add(target, field)
        elif field.message_type is not None:
            target.CopyFrom(self._message(field.message_type))
        else:
            setattr(message, field.name, self._value(field))

    def _add(self, target: Any, field: FieldDescriptor) -> None:
        if field.message_type is not None:
            target.add().CopyFrom(self._message(field.message_type))
        else:
            target.append(self._value(field))

    def _value(self, field: FieldDescriptor) -> str | int | bool:
        is_strange = self._order.random() < self._strangeness
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            known = self._words.get(field.name, ("plain",))
            return self._order.choice(STRANGE_TEXTS if is_strange else known)
        if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
            return self._order.choice(STRANGE_ENUMS if is_strange else ENUMS)
        if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            return self._order.choice((False, True))
        assert field.cpp_type in _NUMBER_KINDS, f"no values for {field.full_name}"
        number = self._order.choice(STRANGE_NUMBERS if is_strange else NUMBERS)
        is_narrow = field.cpp_type == FieldDescriptor.CPPTYPE_INT32
        return max(-INT32_MAX - 1, min(number, INT32_MAX)) if is_narrow else number


def mutated(order: random.Random, raw: bytes) -> bytes:
    """Return the bytes with one to three mutations: flip a bit, cut, insert bytes, or repeat a part."""
    for _ in range(order.randint(1, 3)):
        raw = _mutated_once(order, raw)
    return raw


def _mutated_once(order: random.Random, raw: bytes) -> bytes:
    place = order.randint(0, len(raw))
    part = order.randint(1, PART_BYTES_MAX)
    match order.choice(("flip", "cut", "insert", "repeat")):
        case "flip" if place < len(raw):
            return raw[:place] + bytes([raw[place] ^ 1 << order.randrange(8)]) + raw[place + 1 :]
        case "cut":
            return raw[:place]
        case "insert":
            return raw[:place] + order.randbytes(part) + raw[place:]
        case _:
            return raw[:place] + raw[max(0, place - part) : place] + raw[place:]


def noise(order: random.Random, path: str) -> bytes:
    """Return bytes that are not HTTP/2, or HTTP/2 followed by something else."""
    garbage = order.randbytes(order.randint(1, 2_000))
    kinds = (
        garbage,
        b"GET / HTTP/1.1\r\nHost: hostile\r\n\r\n",
        b"\x16\x03\x01" + garbage,  # TLS to a plaintext port
        greeting() + garbage,
        greeting() + frame(order.randrange(256), order.randrange(256), garbage),
        greeting() + frame(DATA, 0, b"", length=2**24 - 1),
        greeting() + frame(HEADERS, END_HEADERS, garbage),
        greeting() + call_headers(path) + frame(DATA, 0, b"\0\xff\xff\xff\xff" + garbage),
        greeting() + call_headers(path) + frame(DATA, END_STREAM, b"\1" + garbage),
        greeting(window_bytes=2**32 - 1),
    )
    return order.choice(kinds)


def reports_in(method: str, raw: bytes) -> list[tuple[Job, JobOutcome]]:
    """Return the reports in any bytes that a server may record."""
    try:
        if method == "ReportJobResult":
            results = [pb.ReportJobResultRequest.FromString(raw)]
        elif method == "ReportJobResults":
            results = list(pb.ReportJobResultsRequest.FromString(raw).results)
        else:
            return []
    except DecodeError:
        return []
    return [
        ((one.batch_id, one.job_id), JobOutcome(one.outcome))
        for one in results
        if int(one.outcome) in set(JobOutcome)
        and IDENTIFIER.fullmatch(one.batch_id)
        and IDENTIFIER.fullmatch(one.job_id)
    ]
