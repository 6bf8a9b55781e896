"""A progress bar on standard error, for a person who waits; nothing if that is not a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from reconciler.run.result import BatchResult, OnResult


@contextmanager
def shown() -> Iterator[OnResult]:
    """Show the bar during the block; yield the function that advances it by a batch."""
    if not sys.stderr.isatty():
        yield ignore
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} batches"))
    bar = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
    with bar:
        task = bar.add_task("checking", total=None)  # how many batches will come is not known

        async def advance(_result: BatchResult) -> None:
            bar.advance(task)

        yield advance


async def ignore(_result: BatchResult) -> None:
    """Show nothing."""
