"""A bar in a notebook: one output that is updated in place."""

import importlib
import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any

from batchprogress.bar_line import counts_of, head_of, line_of, tail_of
from batchprogress.bar_screens import Screen
from batchprogress.models import Batch, BatchState
from batchprogress.v1 import progress_pb2 as pb

UNDER_WAY, COMPLETED, FAILED = "#1976d2", "#2e7d32", "#c62828"
"""Colours that stand out on light and on dark pages."""


def notebook_shell() -> Any:
    """Return the shell of the notebook that runs this code; None elsewhere, also in IPython's terminal."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    shell = get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


class Notebook(Screen):
    """One output of a cell, as HTML and, for programs that show no HTML, as a line of text."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(sys.stderr, clock)
        self._output: Any = None

    def _draw(self, batch: Batch, silent_seconds: float) -> None:
        words = [counts_of(batch), *tail_of(batch, silent_seconds)]
        self._show(html_of(batch, words), line_of(batch, silent_seconds))

    def _draw_waiting(self, batch: Batch | None, sentence: str) -> None:
        if batch is None:
            self._show(f"<div>{escape(sentence)}</div>", sentence)
        else:
            self._show(html_of(batch, [counts_of(batch), sentence]), f"{head_of(batch)}, {sentence}")

    def _show(self, html: str, text: str) -> None:
        data = {"text/html": html, "text/plain": text}
        if self._output is None:
            display: Any = importlib.import_module("IPython.display").display
            self._output = display(data, raw=True, display_id=True)
        else:
            self._output.update(data, raw=True)


def html_of(batch: Batch, words: list[str]) -> str:
    """Return a bar and what is said beside it."""
    label = escape(batch.display_name or batch.batch_id, quote=True)
    return (
        f'<div><progress max="100" value="{batch.percent_complete}" aria-label="{label}"'
        f' style="width: 20em; vertical-align: middle; accent-color: {_colour_of(batch)}"></progress>'
        f" {batch.percent_complete} % {escape(', '.join(words))}</div>"
    )


def hide_result(message: pb.Batch) -> None:
    """Let the running cell show nothing as its result if that is this message: the bar shows it already."""
    shell = notebook_shell()
    cell = shell.execution_count

    def show(value: pb.Batch) -> None:
        if value is not message or shell.execution_count != cell:
            raise NotImplementedError  # IPython then shows it as any other value

    shell.display_formatter.ipython_display_formatter.for_type(pb.Batch, show)


def _colour_of(batch: Batch) -> str:
    if batch.failed_jobs or batch.state is BatchState.CANCELLED:
        return FAILED
    return COMPLETED if batch.has_ended else UNDER_WAY
