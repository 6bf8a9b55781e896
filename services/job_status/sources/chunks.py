"""Splits long inputs into chunks that fit one command, one statement or one round trip."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def chunked(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield the items in chunks of `size`; the last chunk may be shorter."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
