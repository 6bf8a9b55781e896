"""Lists whose first items alone are shown by a command."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from batchprogress._limits import PAGE_SIZE_MAX
from batchprogress.cli.client import say

Item = TypeVar("Item")


def page_size_for(limit: int) -> int:
    """Return the size of a page that tells whether there are more items than the limit."""
    return min(limit + 1, PAGE_SIZE_MAX)


def first(items: Iterable[Item], limit: int) -> Iterator[Item]:
    """Yield the first items, and say on standard error if there are more."""
    for number, item in enumerate(items):
        if number == limit:
            say(f"there are more than {limit:,}; list more with --limit N")
            return
        yield item
