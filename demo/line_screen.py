"""The story in a log: whole lines, each printed once."""

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from batchprogress import Batch, BatchState, Repair
from demo.screen import before_and_after, describe

LINE_STEP_PERCENT = 10
"""A line for each step of this size, so that the log has a dozen lines."""


class LineScreen:
    """A screen for output that is not a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._percent = 0
        self._state: BatchState | None = None

    def title(self, text: str) -> None:
        """Print a line."""
        self._line(text)

    def doing(self, what: str) -> None:
        """Print nothing: the log has what has happened, not what is in progress."""

    def tell(self, text: str, *, mark: str = "✓", style: str = "") -> None:  # noqa: ARG002  # there are no colours
        """Print a line."""
        self._line(f"{mark} {text}")

    def quote(self, output: str) -> None:
        """Print the output, indented."""
        for line in output.splitlines():
            self._line(f"  {line}")

    def show(self, batch: Batch) -> None:
        """Print a line if the batch has progressed by a step or changed its state."""
        risen = batch.percent_complete - self._percent >= LINE_STEP_PERCENT
        if risen or batch.state != self._state:
            self._percent, self._state = batch.percent_complete, batch.state
            self._line(f"  {describe(batch)}")

    def repaired(self, repair: Repair) -> None:
        """Print the table and the reason."""
        self._console.print(Padding(before_and_after(repair), (0, 0, 0, 2), expand=False))
        self._line(f"  {repair.reason}")

    def summary(self, rows: dict[str, str]) -> None:
        """Print a line for each figure."""
        for name, value in rows.items():
            self._line(f"  {name:<22}{value}")

    def _line(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)
