"""Shows how far a pass is, on standard error: a bar on a terminal, elsewhere some lines in the log."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from reconciler.run.progress import PassProgress

BAR_SECONDS = 0.2
"""Between two states of the bar: a person sees it move."""
LOG_SECONDS = 30.0
"""Between two lines in the log: eight in a pass of 240 s, none in a short one."""

_log = structlog.get_logger()


@asynccontextmanager
async def shown(progress: PassProgress, *, log_seconds: float = LOG_SECONDS) -> AsyncIterator[None]:
    """Show the progress during the block.

    Args:
        progress: What the pass has done so far.
        log_seconds: The time between two lines in the log.

    """
    showing = _draw(progress) if sys.stderr.isatty() else _write(progress, log_seconds)
    task = asyncio.create_task(showing)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def text_of(progress: PassProgress) -> str:
    """Return the progress in words. Pure."""
    if progress.batches is None:
        return "preparing"
    text = f"checked {progress.checked:,} of {progress.batches:,} batches"
    return f"{text}, read {progress.jobs_read:,} jobs" if progress.jobs_read else text


async def _draw(progress: PassProgress) -> None:
    # Only on a terminal: it takes 10 ms of CPU, and most passes are started by a timer.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text_of(progress), total=None)
        while True:
            bar.update(
                task,
                description=text_of(progress),
                total=progress.batches,
                completed=progress.checked,
            )
            await asyncio.sleep(BAR_SECONDS)


async def _write(progress: PassProgress, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        _log.info(text_of(progress))
