"""Arguments that several commands take."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import typer

from batchprogress._limits import IDENTIFIER, IDENTIFIER_RULE


def identifier(value: str | None) -> str | None:
    """Return an identifier if it follows the rule."""
    if value is not None and IDENTIFIER.fullmatch(value) is None:
        raise typer.BadParameter(f"must be {IDENTIFIER_RULE}")
    return value


def optional_identifier(value: str) -> str:
    """Return an identifier if it follows the rule, or nothing."""
    return value and (identifier(value) or "")


def identifiers(values: list[str] | None) -> list[str]:
    """Return identifiers, each once, if all follow the rule."""
    return list(dict.fromkeys(identifier(value) or "" for value in values or ()))


BatchId = Annotated[str, typer.Argument(metavar="ID", callback=identifier, help="The batch.")]
BatchIds = Annotated[list[str], typer.Argument(metavar="ID...", callback=identifiers, help="The batches.")]


def labels_in(pairs: Iterable[str]) -> dict[str, str]:
    """Return labels given as KEY=VALUE."""
    labels = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise typer.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint="--label")
        labels[key] = value
    return labels


def moment(option: str, value: str | None) -> datetime | None:
    """Return the time in an option, in ISO 8601; without a time zone it is local time."""
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value).astimezone()
    except (ValueError, OverflowError):
        rule = f"{value!r} is not a time such as 2026-11-30 or 2026-11-30T14:00"
        raise typer.BadParameter(rule, param_hint=option) from None
