"""python -m demo: run the story; exit with 0 if everything happened as expected, otherwise with 1."""

import asyncio
import io
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from batchprogress.errors import ProgressError
from batchprogress.plain_text import PLAIN_ERRORS
from demo.line_screen import LineScreen
from demo.live_screen import DRAWN_PER_SECOND, LiveScreen
from demo.plan import Plan, plan_batch
from demo.processes import Processes, StoryError, bypass_proxies, children_left
from demo.screen import Screen
from demo.story import Story

EXIT_UNEXPECTED = 1
EXIT_INTERRUPTED = 130
"""The exit code that shells use for a program ended by Ctrl-C."""

WIDTH_MAX = 100
"""Longer lines are hard to read, also in a wide terminal."""

app = typer.Typer(add_completion=False)


@app.command()
def main(
    jobs: Annotated[
        int, typer.Option(min=100, max=20_000, help="Set the number of jobs of the batch.")
    ] = 1_037,
    seconds: Annotated[float, typer.Option(min=0.5, max=120, help="Set the duration of the work.")] = 6.0,
    keep: Annotated[  # noqa: FBT002  # a flag of the command line
        bool, typer.Option("--keep", envvar="KEEP", help="Keep the servers running until Ctrl-C.")
    ] = False,
) -> None:
    """Show how a batch gets stuck at 99 % and is repaired, with real processes and SQLite."""
    bypass_proxies()
    with _screen() as screen:
        exit_code = asyncio.run(_tell(plan_batch(jobs, seconds), screen, keep=keep))
    raise typer.Exit(exit_code)


@contextmanager
def _screen() -> Iterator[Screen]:
    """Open a screen that suits standard output: a terminal or a log."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=PLAIN_ERRORS)  # its encoding may lack the marks of the story
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        yield LineScreen(console)
        return
    console.width = min(console.width, WIDTH_MAX)
    with Live(console=console, refresh_per_second=DRAWN_PER_SECOND) as live:
        yield LiveScreen(console, live)


async def _tell(plan: Plan, screen: Screen, *, keep: bool) -> int:
    """Run the story, leave nothing behind, and return the exit code."""
    with TemporaryDirectory(prefix="batchprogress-demo-") as name:
        folder = Path(name)
        # Signals cancel the story, not this task, so that the processes are always ended here.
        async with Processes(folder / "log.txt") as processes:
            story = asyncio.create_task(Story(plan, folder, processes, screen).tell(keep=keep))
            _cancel_on_signals(story)
            exit_code = await _end_of(story, screen, processes)
            screen.doing("ending every process")
    screen.doing("")
    if children_left():
        screen.tell("A process was left behind.", mark="✗", style="red")
        return EXIT_UNEXPECTED
    screen.tell("Nothing is left behind: every process has ended, the temporary folder is removed.")
    return exit_code


async def _end_of(story: asyncio.Task[None], screen: Screen, processes: Processes) -> int:
    try:
        await story
    except (StoryError, ProgressError) as error:
        screen.quote(processes.last_words())
        screen.tell(f"Something unexpected happened: {error}.", mark="✗", style="red")
        return EXIT_UNEXPECTED
    except asyncio.CancelledError:
        screen.tell("Interrupted.", mark="✗", style="yellow")
        return EXIT_INTERRUPTED
    return 0


def _cancel_on_signals(story: asyncio.Task[None]) -> None:
    """End the story on Ctrl-C, `kill` and a closed terminal; further signals change nothing."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, story.cancel)


if __name__ == "__main__":
    app()
