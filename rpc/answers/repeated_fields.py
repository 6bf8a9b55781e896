"""Counts the elements of a repeated field in the bytes of a request.

An empty element takes two bytes, and fifty times as much once it is decoded: 4 MiB of them would take 200 MB.
So the bytes are counted first, and what has too many elements is never decoded.
"""

from dataclasses import dataclass

from rpc.answers.refusal import Refusal, Violation, invalid_fields

FURTHER_FIELDS_MAX = 100
"""The number of other fields of a request: no request has half as many."""
VARINT_BYTES_MAX = 10

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_CONTINUES = 0x80


@dataclass(frozen=True, slots=True)
class RepeatedField:
    """A repeated or map field of a request, and its limit."""

    name: str
    number: int
    """The field's number in the contract, at most 15."""
    elements_max: int
    description: str
    """What is wrong with a request that has more elements."""

    def check(self, raw: bytes) -> None:
        """Refuse a request with too many elements.

        Raises:
            Refusal: INVALID_FIELD.
            ValueError: the bytes are not a message.

        """
        tag = self.number << 3 | _BYTES
        # Each element begins with its tag, which may be encoded with more bytes than it needs.
        if raw.count(tag) + raw.count(tag | _CONTINUES) > self.elements_max and self._has_too_many(raw, tag):
            raise self._refusal()

    def _has_too_many(self, raw: bytes, tag: int) -> bool:
        """Walk through the fields of the message, as far as the limit."""
        position = elements = 0
        for _ in range(self.elements_max + FURTHER_FIELDS_MAX):
            if position >= len(raw):
                return False
            if raw[position] == tag:  # the other way costs twice as much
                length, position = _number(raw, position + 1)
                position += length
                elements += 1
            else:
                found, position = _number(raw, position)
                position = _after_value(raw, position, found & 7)
                elements += found == tag
            if elements > self.elements_max:
                return True
        return position < len(raw)

    def _refusal(self) -> Refusal:
        return invalid_fields([Violation(self.name, self.description)])


def _after_value(raw: bytes, position: int, wire_type: int) -> int:
    if wire_type == _BYTES:
        length, position = _number(raw, position)
        return position + length
    if wire_type == _VARINT:
        return _number(raw, position)[1]
    if wire_type == _FIXED64:
        return position + 8
    if wire_type == _FIXED32:
        return position + 4
    raise ValueError(f"no field has the wire type {wire_type}")


def _number(raw: bytes, position: int) -> tuple[int, int]:
    """Return a number and the position after it; most numbers have one or two bytes."""
    low = raw[position] if position < len(raw) else _CONTINUES
    if low < _CONTINUES:
        return low, position + 1
    high = raw[position + 1] if position + 1 < len(raw) else _CONTINUES
    if high < _CONTINUES:
        return low & ~_CONTINUES | high << 7, position + 2
    return _long_number(raw, position)


def _long_number(raw: bytes, position: int) -> tuple[int, int]:
    number = 0
    for place, byte in enumerate(raw[position : position + VARINT_BYTES_MAX]):
        number |= (byte & ~_CONTINUES) << 7 * place
        if byte < _CONTINUES:
            return number, position + place + 1
    raise ValueError("a number does not end")
