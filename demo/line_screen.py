"""The story in a log: whole lines, nothing ever drawn twice."""

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from batchprogress.v1 import progress_pb2 as pb
from demo.screen import before_and_after, describe

LINE_STEP_PERCENT = 10
"""A line each time so much more is done: a log of a dozen lines."""


class LineScreen:
    """A screen for what is no terminal."""

    def __init__(self, console: Console) -> None:
        """Take a console that is no terminal."""
        self._console = console
        self._percent = 0
        self._state = pb.BATCH_STATE_UNSPECIFIED

    def title(self, text: str) -> None:
        """Print a line."""
        self._line(text)

    def doing(self, what: str) -> None:
        """Say nothing: what has happened is told."""

    def tell(self, text: str, *, mark: str = "✓", style: str = "") -> None:  # noqa: ARG002  # no colours here
        """Print a line."""
        self._line(f"{mark} {text}")

    def quote(self, output: str) -> None:
        """Print the output, indented."""
        for line in output.splitlines():
            self._line(f"  {line}")

    def show(self, batch: pb.Batch) -> None:
        """Print a line if the batch has come far enough since the last one."""
        risen = batch.percent_complete - self._percent >= LINE_STEP_PERCENT
        if risen or batch.state != self._state:
            self._percent, self._state = batch.percent_complete, batch.state
            self._line(f"  {describe(batch)}")

    def repaired(self, repair: pb.Repair) -> None:
        """Print the table and the reason."""
        self._console.print(Padding(before_and_after(repair), (0, 0, 0, 2), expand=False))
        self._line(f"  {repair.reason}")

    def summary(self, rows: dict[str, str]) -> None:
        """Print a line each."""
        for name, value in rows.items():
            self._line(f"  {name:<22}{value}")

    def _line(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)
