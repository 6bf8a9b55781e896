"""Where a command's answer goes: standard output, as JSON, as plain lines, or as tables on a terminal."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

LOG_COLUMNS = 10_000
"""Wider than any line of ours: a log must never cut or fold an id."""
_INT64 = frozenset({FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64})


class Output:
    """Standard output."""

    def __init__(self, *, as_json: bool) -> None:
        """Look once at where it goes."""
        self.as_json = as_json
        self.is_live = sys.stdout.isatty() and not Console().is_dumb_terminal
        """Whether what was written can be written again."""
        self.console = Console(highlight=False, emoji=False, markup=False)
        if not self.console.is_terminal:
            self.console = Console(
                highlight=False, emoji=False, markup=False, width=LOG_COLUMNS, color_system=None
            )

    def line(self, text: str) -> None:
        """Write a line, as it is."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()  # whoever reads a pipe reads it now

    def message(self, message: Message, **more: object) -> None:
        """Write a message, and what else belongs to it, as one line of JSON."""
        self.values({**more, **values_of(message)})

    def values(self, values: Mapping[str, object]) -> None:
        """Write one line of JSON."""
        self.line(json.dumps(values))

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        """Write a table; a cell that is too long for a terminal is folded, none is ever cut."""
        on_terminal = self.console.is_terminal
        table = Table(box=SIMPLE_HEAD if on_terminal else None, pad_edge=False)
        for name in columns:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        with self.console.capture() as capture:
            self.console.print(table)
        for line in capture.get().splitlines():
            self.line(line.rstrip())  # rich fills each line up to the widest


def values_of(message: Message) -> dict[str, Any]:
    """Return a message for JSON: fields named as in the contract, none left out, int64 as numbers.

    The canonical JSON of protobuf makes int64 strings for the sake of JavaScript above 2^53; no number here
    is that large, and scripts reckon with them.
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
    if isinstance(value, dict) and not field.message_type.GetOptions().map_entry:
        return _with_numbers(value, field.message_type)
    return value
