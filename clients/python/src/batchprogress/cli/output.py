"""Standard output: JSON, plain lines, or tables on a terminal."""

import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console

from batchprogress.cli.table import Column, Row, lines_of
from batchprogress.plain_text import PLAIN_ERRORS, plain

CUT_MARK = "…"
LOG_COLUMNS = 10_000
"""Wider than any line: a log must never cut or fold an id."""
_INT64 = frozenset({FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64})


class Output:
    """Writes the answer of a command.

    Args:
        as_json: whether the answer is JSON.

    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors=PLAIN_ERRORS)
        self.is_live = sys.stdout.isatty() and not Console().is_dumb_terminal
        """Whether lines that were written can be redrawn."""
        self.console = Console(highlight=False, emoji=False, markup=False)
        if not self.console.is_terminal:
            self.console = Console(
                highlight=False, emoji=False, markup=False, width=LOG_COLUMNS, color_system=None
            )

    def line(self, text: str) -> None:
        """Write a line as it is."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()  # the reader of a pipe gets it now

    def message(self, message: Message) -> None:
        """Write a message as one line of JSON."""
        self.values(values_of(message))

    def values(self, values: Mapping[str, object]) -> None:
        """Write one line of JSON."""
        self.line(json.dumps(values))

    def table(self, columns: Sequence[Column], rows: Iterable[Row]) -> bool:
        """Write a table as its rows arrive; return whether there were any."""
        mark = plain(CUT_MARK, sys.stdout.encoding)
        width = self.console.width if self.console.is_terminal else None
        has_rows = False
        for line in lines_of(columns, rows, width, mark):
            self.line(line)
            has_rows = True
        return has_rows


def values_of(message: Message) -> dict[str, Any]:
    """Return a message for JSON: every field under its name in the contract, int64 as numbers.

    Protobuf's own JSON writes int64 as strings, because JavaScript cannot hold numbers above 2^53. No number
    of the contract is that large, and scripts calculate with them.
    """
    values: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return _with_numbers(values, message.DESCRIPTOR)


def _with_numbers(values: dict[str, Any], descriptor: Any) -> dict[str, Any]:
    """Return the fields of a message in the order of the contract."""
    return {
        field.name: _with_number(values[field.name], field)
        for field in descriptor.fields
        if field.name in values
    }


def _with_number(value: Any, field: Any) -> Any:
    if isinstance(value, list):
        return [_with_number(one, field) for one in value]
    if field.cpp_type in _INT64:
        return int(value)
    if not isinstance(value, dict):
        return value
    if field.message_type.GetOptions().map_entry:
        of_value = field.message_type.fields_by_name["value"]
        return {key: _with_number(one, of_value) for key, one in value.items()}
    return _with_numbers(value, field.message_type)
