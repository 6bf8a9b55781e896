"""A watch that tells when nothing comes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from batchprogress.silences import with_silences


class Watch:
    """Items that a test sends."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[int | Exception] = asyncio.Queue()
        self.is_closed = False

    async def items(self) -> AsyncGenerator[int, None]:
        """Yield what is sent, up to 3; raise what is an error."""
        try:
            while (item := await self.sent.get()) != 3:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.is_closed = True


@pytest.fixture
def watch() -> Watch:
    """Return a watch without items."""
    return Watch()


async def test_a_silence_between_two_items_is_told(watch: Watch) -> None:
    """No item is lost, however often the watch is silent."""
    seen = list[int | None]()
    watch.sent.put_nowait(1)
    async for item in with_silences(watch.items(), 0.01):
        seen.append(item)
        if seen == [1, None, None]:
            watch.sent.put_nowait(2)
            watch.sent.put_nowait(3)
    assert seen[:3] == [1, None, None]
    assert [item for item in seen if item is not None] == [1, 2]


async def test_the_error_of_the_watch_is_raised(watch: Watch) -> None:
    watch.sent.put_nowait(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await anext(with_silences(watch.items(), 10.0))


async def test_the_watch_is_closed_at_the_end(watch: Watch) -> None:
    """Also in the middle of a silence."""
    async with aclosing(with_silences(watch.items(), 0.01)) as moments:
        assert await anext(moments) is None
    assert watch.is_closed
