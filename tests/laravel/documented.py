"""The table of cases in docs/laravel.md."""

from functools import cache

from tests.support.progress import ROOT

CELLS = 5
"""The case, the row, the answer, what a pass does, and our batch."""


@cache
def documented() -> dict[str, tuple[str, ...]]:
    """Return the cells of each case."""
    lines = (ROOT / "docs/laravel.md").read_text(encoding="utf-8").splitlines()
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines if line[:1] == "|"]
    return {row[0]: row[1:] for row in rows if len(row) == CELLS}
