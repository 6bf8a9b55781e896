"""python -m demo: tell the story; exit 0 if it came out as told, 1 with a sentence otherwise."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import grpc
import typer
from rich.console import Console
from rich.live import Live

from demo.line_screen import LineScreen
from demo.live_screen import DRAWN_PER_SECOND, LiveScreen
from demo.plan import Plan, plan_batch
from demo.processes import Processes, StoryError, children_left
from demo.screen import Screen
from demo.story import Story

EXIT_OTHERWISE = 1
EXIT_INTERRUPTED = 130
"""As shells report a program that ended on Ctrl-C."""

WIDTH_MAX = 100
"""Lines of more characters are hard to read, however wide the terminal."""

app = typer.Typer(add_completion=False)


@app.command()
def main(
    jobs: Annotated[int, typer.Option(min=100, max=20_000, help="Jobs of the batch.")] = 1_037,
    seconds: Annotated[float, typer.Option(min=0.5, max=120, help="How long the work takes.")] = 6.0,
    keep: Annotated[  # noqa: FBT002  # a flag of the command line
        bool, typer.Option("--keep", envvar="KEEP", help="Keep the servers running until Ctrl-C.")
    ] = False,
) -> None:
    """Tell how a batch of jobs sticks at 99 % and is brought to its end, on real processes and SQLite."""
    with _screen() as screen:
        exit_code = asyncio.run(_tell(plan_batch(jobs, seconds), screen, keep=keep))
    raise typer.Exit(exit_code)


@contextmanager
def _screen() -> Iterator[Screen]:
    """Open the screen that suits where standard output goes."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        yield LineScreen(console)
        return
    console.width = min(console.width, WIDTH_MAX)
    with Live(console=console, refresh_per_second=DRAWN_PER_SECOND) as live:
        yield LiveScreen(console, live)


async def _tell(plan: Plan, screen: Screen, *, keep: bool) -> int:
    """Tell the story and leave nothing of it behind; return the exit code."""
    with TemporaryDirectory(prefix="batchprogress-demo-") as name:
        folder = Path(name)
        # A signal cancels the story alone, not this task: whatever comes, the processes are ended here.
        async with Processes(folder / "log.txt") as processes:
            story = asyncio.create_task(Story(plan, folder, processes, screen).tell(keep=keep))
            _cancel_on_signals(story)
            exit_code = await _end_of(story, screen, processes)
            screen.doing("ending every process")
    screen.doing("")
    if children_left():
        screen.tell("A process was left behind.", mark="✗", style="red")
        return EXIT_OTHERWISE
    screen.tell("Nothing is left behind: every process has ended, the temporary folder is gone.")
    return exit_code


async def _end_of(story: asyncio.Task[None], screen: Screen, processes: Processes) -> int:
    try:
        await story
    except (StoryError, grpc.aio.AioRpcError) as error:
        screen.quote(processes.last_words())
        why = error.details() if isinstance(error, grpc.aio.AioRpcError) else error
        screen.tell(f"The story did not come out as told: {why}.", mark="✗", style="red")
        return EXIT_OTHERWISE
    except asyncio.CancelledError:
        screen.tell("Interrupted.", mark="✗", style="yellow")
        return EXIT_INTERRUPTED
    return 0


def _cancel_on_signals(story: asyncio.Task[None]) -> None:
    """Ctrl-C, `kill` and a closed terminal end the story; each signal after the first changes nothing."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, story.cancel)


if __name__ == "__main__":
    app()
