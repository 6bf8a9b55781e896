"""Waits for changes that nothing announces, such as a key in Redis or the end of a grandchild process."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

SECONDS_MAX = 60.0
"""A test that waits longer waits for something that will not happen."""
POLL_SECONDS = 0.05


async def eventually(look: Callable[[], Any], seconds_max: float = SECONDS_MAX) -> Any:
    """Call a function, or a coroutine function, until its result is true; return the result."""
    async with asyncio.timeout(seconds_max):
        while True:
            seen = look()
            result = await seen if inspect.isawaitable(seen) else seen
            if result:
                return result
            await asyncio.sleep(POLL_SECONDS)
