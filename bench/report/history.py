"""The ratios of whole runs, newest first, so that a regression shows. Each whole run adds its own.

They are kept in history.json, beside RESULTS.md, which shows them as a table.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.report.results import Row

HISTORY = "history.json"
RUNS_MAX = 30
"""Runs that are kept: more than a year of one every two weeks."""
DIGITS = 6
"""Of a number in the file, after the point."""
SHOWN_MAX = 8
"""Runs that the table shows, each as a column."""
INTRODUCTION = """\
The ratio of each comparison in the newest whole runs. `make bench-check` measures some of them again, and
fails if one is worse than in the newest run by more than a third.
"""

Key = tuple[str, str, str]
"""The row, what was measured, and what it was compared with."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison of a run."""

    row: str
    what: str
    peer: str
    ours: float
    ratio: float

    @property
    def key(self) -> Key:
        """What names the comparison in every run."""
        return self.row, self.what, self.peer

    def is_worse_than(self, before: "Compared", factor: float) -> bool:
        """Whether the ratio is worse than another one by more than a factor. Only of rates is more better."""
        if "/s" in self.what:
            return self.ratio * factor < before.ratio
        return self.ratio > before.ratio * factor


@dataclass(frozen=True, slots=True)
class PastRun:
    """The comparisons of a whole run."""

    date: str
    commit: str
    """Followed by + if files were changed since."""
    comparisons: Sequence[Compared]

    def by_key(self) -> dict[Key, Compared]:
        """Return the comparisons by what names them in every run."""
        return {one.key: one for one in self.comparisons}


def compared_in(rows: Iterable[Row]) -> list[Compared]:
    """Return the comparisons of rows, with more digits than the report shows: it rounds them itself."""
    return [
        Compared(name_of(row.title), one.what, one.peer, round(one.ours, DIGITS), round(one.ratio, DIGITS))
        for row in rows
        for one in row.comparisons
    ]


def name_of(title: str) -> str:
    """Return what a row is called in every run: figures of the run follow a semicolon."""
    return title.partition(";")[0]


def read_history(folder: Path) -> list[PastRun]:
    """Return the runs that a folder keeps, newest first; none if it has no history."""
    file = folder / HISTORY
    if not file.exists():
        return []
    return [
        PastRun(run["date"], run["commit"], [Compared(**one) for one in run["comparisons"]])
        for run in json.loads(file.read_text(encoding="utf-8"))
    ]


def write_history(folder: Path, runs: Sequence[PastRun]) -> None:
    """Keep the newest of the runs in a folder."""
    text = json.dumps([asdict(run) for run in runs[:RUNS_MAX]], indent=1, ensure_ascii=False)
    (folder / HISTORY).write_text(text + "\n", encoding="utf-8")


def history(runs: Sequence[PastRun]) -> Iterator[str]:
    """Yield the lines of the section with the newest runs, of which the first one names the comparisons."""
    shown = runs[:SHOWN_MAX]
    columns = [run.by_key() for run in shown]
    yield from ("## History", "", INTRODUCTION)
    yield f"| row | measured | compared with | {' | '.join(f'{run.date} {run.commit}' for run in shown)} |"
    yield f"|{' --- |' * (3 + len(shown))}"
    for key in columns[0] if columns else ():
        ratios = (f"{column[key].ratio:.2f}" if key in column else "" for column in columns)
        yield f"| {' | '.join((*key, *ratios))} |"
