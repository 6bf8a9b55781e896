"""The kinds of arguments that several commands take."""

import re
from collections.abc import Iterable
from typing import Annotated

import typer

IDENTIFIER = re.compile(r"[\x21-\x7e]{1,128}")
IDENTIFIER_RULE = "1 to 128 printable ASCII characters without spaces"
"""The contract's, said before anything is sent."""


def identifier(value: str | None) -> str | None:
    """Check an identifier."""
    if value is not None and IDENTIFIER.fullmatch(value) is None:
        raise typer.BadParameter(f"must be {IDENTIFIER_RULE}")
    return value


def identifiers(values: list[str]) -> list[str]:
    """Check identifiers."""
    return [identifier(value) or "" for value in values]


BatchId = Annotated[str, typer.Argument(metavar="ID", callback=identifier, help="The batch.")]


def labels_in(pairs: Iterable[str]) -> dict[str, str]:
    """Return labels given as KEY=VALUE."""
    labels = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise typer.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint="--label")
        labels[key] = value
    return labels
