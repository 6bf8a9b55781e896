"""A bar for a person who waits, on standard error; nothing where nobody looks."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from reconciler.run.result import Looked
from reconciler.run.workers import OnLooked


@contextmanager
def shown() -> Iterator[OnLooked]:
    """Show progress while the block runs; yields whom to tell of each batch. How many come is not known."""
    if not sys.stderr.isatty():
        yield ignore
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} batches"))
    bar = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
    with bar:
        task = bar.add_task("looking at", total=None)

        async def advance(_looked: Looked) -> None:
            bar.advance(task)

        yield advance


async def ignore(_looked: Looked) -> None:
    """Show nothing."""
