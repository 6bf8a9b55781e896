"""The first SIGTERM or SIGINT asks the process to stop, the second one ends it."""

import asyncio
import os
import signal

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
EXIT_KILLED_BASE = 128
"""Shells report 128 + n for a process that was ended by signal n."""


def stop_requested() -> asyncio.Event:
    """Install the signal handlers in the running loop.

    Returns:
        An event that the first stop signal sets.

    """
    event, received = asyncio.Event(), list[int]()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, _stop_or_exit, event, number, received)
    return event


async def stopped_or_ended(stop: asyncio.Event, serving: asyncio.Task[None]) -> None:
    """Wait until the process is asked to stop, or its server has ended by itself.

    Args:
        stop: as `stop_requested` returns it.
        serving: runs the server.

    """
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


def _stop_or_exit(event: asyncio.Event, number: int, received: list[int]) -> None:
    if received:
        os._exit(EXIT_KILLED_BASE + number)
    received.append(number)  # the event says less: a parent sets it, while systemd sends its first signal
    event.set()
