"""Checks of request fields: all violations of a request are collected, then refused at once."""

import re

from rpc.answers.refusal import Refusal, Violation, invalid_fields

IDENTIFIER = re.compile(r"[\x21-\x7e]{1,128}")
IDENTIFIER_RULE = "1 to 128 printable ASCII characters without spaces"
"""The same in words, for whoever broke it."""

PAGE_SIZE_DEFAULT = 50
"""A screen or two; the page size a client gets that did not ask."""


class FieldChecks:
    """Collects what is wrong with the fields of one request."""

    def __init__(self) -> None:
        """Start with no violations."""
        self._violations: list[Violation] = []

    def reject(self, field: str, description: str) -> None:
        """Note that a field is wrong."""
        self._violations.append(Violation(field, description))

    def identifier(self, field: str, value: str) -> str:
        """Check an identifier."""
        if IDENTIFIER.fullmatch(value) is None:
            self.reject(field, f"must be {IDENTIFIER_RULE}")
        return value

    def between(self, field: str, value: int, least: int, most: int) -> int:
        """Check that a number lies within its bounds, both included."""
        if not least <= value <= most:
            self.reject(field, f"must be from {least} to {most}")
        return value

    def text(self, field: str, value: str, characters_max: int) -> str:
        """Check the length of a text."""
        if len(value) > characters_max:
            self.reject(field, f"must have at most {characters_max} characters")
        return value

    def page_size(self, value: int, most: int, default: int = PAGE_SIZE_DEFAULT) -> int:
        """Return the page size to use: the default for 0, never above the most (AIP-158)."""
        if value < 0:
            self.reject("page_size", "must not be negative")
        return min(value or default, most)

    def refusal(self) -> Refusal | None:
        """Return the refusal of the request, None if every field is right."""
        return invalid_fields(self._violations) if self._violations else None

    def done(self) -> None:
        """Raise the refusal of the request if a field is wrong."""
        refusal = self.refusal()
        if refusal is not None:
            raise refusal
