"""Lists that are read from the server page by page, as far as they are iterated over."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some consecutive items of a list."""

    items: tuple[Item, ...]
    next_page_token: str
    """Continues the list after this page; empty on the last page."""
    total_size: int | None = None
    """The number of items on all pages; None where the server does not tell it."""


class Pages(Generic[Item]):
    """A list on the server. Iterating over it yields its items; each page is read when it is reached.

    Each iteration starts again. Iterating raises the errors of the call that made the list.

    Example:
        >>> batches = client.list()
        >>> newest = next(iter(batches), None)

    """

    def __init__(self, read: Callable[[str], Page[Item]], page_token: str) -> None:
        self._read = read
        self._page_token = page_token

    def __iter__(self) -> Iterator[Item]:
        """Yield the items of every page."""
        for page in self.pages():
            yield from page.items

    def pages(self) -> Iterator[Page[Item]]:
        """Yield whole pages, for programs that show one page at a time.

        Returns:
            An iterator over the pages; the first is read at its first step.

        Raises:
            ProgressError: as the call that made the list.

        Example:
            >>> page = next(client.list(page_size=20).pages())
            >>> rest = client.list(page_size=20, page_token=page.next_page_token)

        """
        token = self._page_token
        while True:
            page = self._read(token)
            yield page
            token = page.next_page_token
            if not token:
                return


class AsyncPages(Generic[Item]):
    """The counterpart of `Pages` for `async for`.

    Example:
        >>> batches = client.list()
        >>> newest = await anext(aiter(batches), None)

    """

    def __init__(self, read: Callable[[str], Awaitable[Page[Item]]], page_token: str) -> None:
        self._read = read
        self._page_token = page_token

    async def __aiter__(self) -> AsyncIterator[Item]:
        """Yield the items of every page."""
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncIterator[Page[Item]]:
        """Yield whole pages, for programs that show one page at a time.

        Returns:
            An iterator over the pages; the first is read at its first step.

        Raises:
            ProgressError: as the call that made the list.

        Example:
            >>> page = await anext(client.list(page_size=20).pages())
            >>> rest = client.list(page_size=20, page_token=page.next_page_token)

        """
        token = self._page_token
        while True:
            page = await self._read(token)
            yield page
            token = page.next_page_token
            if not token:
                return
