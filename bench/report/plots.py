"""Draws the plots of a report as SVG files. The same numbers always give the same bytes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.report.results import Plot

SIZE_INCHES = (7, 4)
"""Fits a page of text, and half the width of a screen."""
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "batch-progress",  # without it, the ids in a file are random
    "svg.fonttype": "none",  # keeps files small, and their text searchable
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
METADATA = {"Date": None, "Creator": None}
"""Left out, since they change from run to run or with the version."""


def draw(plots: Iterable[Plot], folder: Path) -> None:
    """Write one file per plot into a folder."""
    for plot in plots:
        folder.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context(STYLE):
            _figure(plot).savefig(folder / f"{plot.name}.svg", format="svg", metadata=METADATA)


def _figure(plot: Plot) -> Figure:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    for name, points in plot.lines.items():
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=name)
    axes.set(title=plot.title, xlabel=plot.x, ylabel=plot.y, xscale="log")
    if plot.y_is_logarithmic:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure
