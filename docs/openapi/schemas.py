"""The messages of the contract as JSON schemas of their ProtoJSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

Schema = dict[str, Any]
INT64 = r"^-?[0-9]{1,19}$"
NUMBERS: dict[int, Schema] = {
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_INT32: {
        "type": "integer",
        "format": "int32",
        "minimum": -(2**31),
        "maximum": 2**31 - 1,
    },
    # JavaScript's numbers are exact up to 2^53 only.
    FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64", "pattern": INT64},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
}
WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {
        "type": "string",
        "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$",
        "examples": ["20s"],
    },
}
EXAMPLES = {"batch_id": "import-1", "job_id": "17", "total_jobs": "1037", "error_type": "TimeoutError"}
"""An example of each field with this name."""


class Schemas:
    """Collects the schemas of messages.

    Args:
        comments: the comment of each element, by its full name.
        responses: the messages that the server sends.

    """

    def __init__(self, comments: Mapping[str, str], responses: Iterator[Descriptor]) -> None:
        self._comments = comments
        self._sent = {name for one in responses for name in _reached(one)}
        self._made: dict[str, Schema] = {}

    def reference(self, message: Descriptor | EnumDescriptor) -> Schema:
        """Return a reference to the schema of a message or an enum."""
        if message.name not in self._made:
            self._made[message.name] = {}  # a message may have itself as a field
            made = self._message(message) if isinstance(message, Descriptor) else self._enum(message)
            self._made[message.name] = made
        return {"$ref": f"#/components/schemas/{message.name}"}

    def all(self) -> dict[str, Schema]:
        """Return the schemas that were referred to, by their names."""
        return dict(sorted(self._made.items()))

    def field(self, field: FieldDescriptor) -> Schema:
        """Return the schema of a field, with its description."""
        schema = {**self._value(field), "description": self._comments[field.full_name]}
        if field.name in EXAMPLES:
            schema["examples"] = [EXAMPLES[field.name]]
        return schema

    def _message(self, message: Descriptor) -> Schema:
        schema: Schema = {
            "type": "object",
            "description": self._comments[message.full_name],
            "properties": {field.json_name: self.field(field) for field in message.fields},
        }
        # The gateway prints every field that has no presence, so that 0 and false can be read.
        always = [field.json_name for field in message.fields if not field.has_presence]
        if always and message.full_name in self._sent:
            schema["required"] = always
        return schema

    def _enum(self, enum: EnumDescriptor) -> Schema:
        values = [f"- `{one.name}`: {self._comments[_value_name(enum, one.name)]}" for one in enum.values]
        return {
            "type": "string",
            "enum": [one.name for one in enum.values],
            "description": "\n".join([self._comments[enum.full_name], "", *values]),
        }

    def _value(self, field: FieldDescriptor) -> Schema:
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            return {"type": "object", "additionalProperties": self._single(kind.fields_by_name["value"])}
        if field.is_repeated:
            return {"type": "array", "items": self._single(field)}
        return self._single(field)

    def _single(self, field: FieldDescriptor) -> Schema:
        if field.enum_type is not None:
            return self.reference(field.enum_type)
        if field.message_type is not None:
            return WELL_KNOWN.get(field.message_type.full_name) or self.reference(field.message_type)
        return NUMBERS[field.type]


def _value_name(enum: EnumDescriptor, value: str) -> str:
    return f"{enum.full_name}.{value}"


def _reached(message: Descriptor) -> Iterator[str]:
    """Yield the names of a message and of all messages within it."""
    yield message.full_name
    for field in message.fields:
        if field.message_type is not None:
            yield from _reached(field.message_type)
