"""Many items some at a time: what one command, one statement or one trip takes."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def portions(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """Yield the items, so many at a time."""
    rest = iter(items)
    while some := tuple(islice(rest, size)):
        yield some
