"""Reads the beginning of a JSON text whose end is missing, as far as it goes."""

import json
import re
from collections.abc import Iterator

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_ESCAPE_CHARACTERS_MAX = 12
r"""Of a character outside the basic plane: `\ud83d\ude00`."""
_DEPTH_MAX = 3
"""Deeper values are not read: an error is a list in an object in an object."""


def parse_cut_json(text: str, depth_max: int = _DEPTH_MAX) -> object:
    """Return what the beginning of a JSON text says.

    An object or an array has the members that are complete, and the part of the next one that is there; a
    string has the characters that are there. A number that may go on is left out.

    Args:
        text: the text from the beginning of the value.
        depth_max: how many objects and arrays within each other to read.

    Returns:
        The value; None if nothing of it can be read.

    """
    text = text[_end_of_space(text, 0) :]
    if text.startswith('"'):
        return _cut_string(text)
    if text.startswith("[") and depth_max:
        return list(_values(text, 1, depth_max))
    if text.startswith("{") and depth_max:
        return dict(_members(text, depth_max))
    return None


def _members(text: str, depth_max: int) -> Iterator[tuple[str, object]]:
    position = 1
    while True:
        name, position = _complete(text, position)
        if not isinstance(name, str) or text[position : position + 1] != ":":
            return
        start = position + 1
        value, position = _complete(text, start)
        if position < 0:
            yield name, parse_cut_json(text[start:], depth_max - 1)
            return
        yield name, value
        if text[position : position + 1] != ",":
            return
        position += 1


def _values(text: str, position: int, depth_max: int) -> Iterator[object]:
    while True:
        start = position
        value, position = _complete(text, start)
        if position < 0:
            cut = parse_cut_json(text[start:], depth_max - 1)
            if cut is not None:
                yield cut
            return
        yield value
        if text[position : position + 1] != ",":
            return
        position += 1


def _complete(text: str, position: int) -> tuple[object, int]:
    """Return a value that is complete and the position of what follows it; -1 if there is none."""
    try:
        value, end = _DECODER.raw_decode(text, _end_of_space(text, position))
    except (ValueError, RecursionError):
        return None, -1
    end = _end_of_space(text, end)
    return value, end if end < len(text) or isinstance(value, str | list | dict) else -1


def _cut_string(text: str) -> str | None:
    """Return a string whose end is missing, without an escape that is cut off."""
    for missing in range(min(_ESCAPE_CHARACTERS_MAX, len(text))):
        try:
            value: str = json.loads(f'{text[: len(text) - missing]}"')
        except ValueError:
            continue
        return value[:-1] if "\ud800" <= value[-1:] <= "\udbff" else value  # half of a character
    return None


def _end_of_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
