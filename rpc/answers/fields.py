"""Checks of request fields: a refusal names all violations of a request at once."""

import re

from rpc.answers.refusal import Refusal, Violation, invalid_fields

IDENTIFIER = re.compile(r"[\x21-\x7e]{1,128}")
IDENTIFIER_RULE = "1 to 128 printable ASCII characters without spaces"
"""The rule in words, for error messages."""

PAGE_SIZE_DEFAULT = 50
"""The page size for clients that do not ask for one: a screen or two."""


def is_identifier(value: str) -> bool:
    """Return whether a value is an identifier."""
    return IDENTIFIER.fullmatch(value) is not None


class FieldChecks:
    """Collects the violations of one request. Each check returns the value that it was given."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []

    def reject(self, field: str, description: str) -> None:
        """Add a violation."""
        self._violations.append(Violation(field, description))

    def identifier(self, field: str, value: str) -> str:
        """Check an identifier."""
        if not is_identifier(value):
            self.reject(field, f"must be {IDENTIFIER_RULE}")
        return value

    def between(self, field: str, value: int, least: int, most: int) -> int:
        """Check that a number lies between two bounds, which are allowed themselves."""
        if not least <= value <= most:
            self.reject(field, f"must be from {least} to {most}")
        return value

    def text(self, field: str, value: str, characters_max: int) -> str:
        """Check the length of a text."""
        if len(value) > characters_max:
            self.reject(field, f"must have at most {characters_max} characters")
        return value

    def page_size(self, value: int, most: int, default: int = PAGE_SIZE_DEFAULT) -> int:
        """Check a page size (AIP-158).

        Args:
            value: the requested size.
            most: the largest page; a larger size is lowered to it.
            default: the size for a request of 0.

        Returns:
            The size to use.

        """
        if value < 0:
            self.reject("page_size", "must not be negative")
        return min(value or default, most)

    def refusal(self) -> Refusal | None:
        """Return the refusal of the request; None if no check failed."""
        return self.refused() if self._violations else None

    def refused(self) -> Refusal:
        """Return the refusal of a request of which a check has failed."""
        return invalid_fields(self._violations)

    def done(self) -> None:
        """Finish the checks.

        Raises:
            Refusal: a check failed.

        """
        refusal = self.refusal()
        if refusal is not None:
            raise refusal
