"""The story in a terminal: the bar of the command line stays at the bottom, the story grows above it."""

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from batchprogress import Batch, Repair
from batchprogress.cli.views import Bars
from demo.screen import before_and_after

DRAWN_PER_SECOND = 12
"""Smooth for the eye; the server sends up to 20 states per second."""
_INDENT = (0, 0, 0, 3)


class LiveScreen:
    """A screen for a terminal.

    Args:
        console: The terminal.
        live: The part at the bottom that is redrawn.

    """

    def __init__(self, console: Console, live: Live) -> None:
        self._console = console
        self._live = live
        self._spinner: Spinner | None = None
        self._batch: Batch | None = None

    def title(self, text: str) -> None:
        """Print the text in bold above the bar."""
        self._console.print(Padding(Text(text, "bold"), 1))

    def doing(self, what: str) -> None:
        """Show the text next to a spinner below the bar."""
        self._spinner = Spinner("dots", Text(what, "dim"), style="cyan") if what else None
        self._draw()

    def tell(self, text: str, *, mark: str = "✓", style: str = "green") -> None:
        """Print the text above the bar."""
        line = Table.grid(padding=(0, 1))
        line.add_row(Text(mark, style), text)
        self._console.print(Padding(line, (0, 0, 0, 1)))

    def quote(self, output: str) -> None:
        """Print the output above the bar, indented."""
        self._console.print(Padding(Text(output, "dim"), _INDENT))

    def show(self, batch: Batch) -> None:
        """Move the bar."""
        self._batch = batch
        self._draw()

    def repaired(self, repair: Repair) -> None:
        """Print the table and the reason above the bar."""
        self._console.print(Padding(before_and_after(repair), (1, 0, 1, 3), expand=False))
        self._console.print(Padding(f"{repair.reason}.", (0, 0, 1, 3)))

    def summary(self, rows: dict[str, str]) -> None:
        """Print the figures in a panel above the bar."""
        table = Table.grid(padding=(0, 2))
        for name, value in rows.items():
            table.add_row(Text(name, "dim"), value)
        self._console.print(Panel.fit(table, border_style="green", padding=(0, 1)))

    def _draw(self) -> None:
        rows: list[RenderableType] = [Text()]
        if self._batch is not None:
            rows.append(Padding(Bars({self._batch.batch_id: (self._batch, 0.0)}), (0, 1)))
        if self._spinner is not None:
            rows.append(Padding(self._spinner, (0, 0, 0, 1)))
        self._live.update(Group(*rows))
